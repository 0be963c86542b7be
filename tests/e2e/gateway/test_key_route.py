"""Clients that are served by API keys: the same endpoints, the same errors, and money that is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from oneseat.app.runs import find_run
from oneseat.testing import Answer, Simulator, Text, ToolUse
from oneseat.testing.replies import Usage

from .conftest import ANSWER
from .served import UNDECLARED, Served, ask, installation, served

SETTINGS = """
[keys.work]
provider = "anthropic"
[keys.gpt]
provider = "openai"
[roles.bulk]
candidates = [{ key = "gpt", model = "gpt-5.1" }]
"""
FUNCTION = {
    "type": "function",
    "function": {"name": "look", "description": "d", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
async def keyed(tmp_path: Path, simulator: Simulator) -> AsyncIterator[Served]:
    simulator.script("play", [Answer(content=(Text(ANSWER),))])
    here = installation(tmp_path, tmp_path / "no-such-cli", simulator.url("play"), SETTINGS)
    async with served(here) as gateway:
        yield gateway


async def test_an_undeclared_client_is_served_by_the_key_that_it_was_given(keyed: Served) -> None:
    client = keyed.as_openai(keyed.add("shop", UNDECLARED, wallets=("api_key",)))
    raw = await client.chat.completions.with_raw_response.create(
        model="claude-sonnet-4-6", messages=ask("one", "two", "three")
    )
    assert raw.headers["oneseat-history"] == "rendered"
    assert raw.parse().choices[0].message.content == ANSWER
    result = find_run(keyed.here, raw.headers["oneseat-run-id"]).result
    assert result is not None
    assert (result.receipt.provider, result.receipt.policy and result.receipt.policy.tier) == (
        "anthropic",
        "GREY",
    )


async def test_a_clients_role_decides_who_serves_whatever_model_it_names(
    keyed: Served, simulator: Simulator
) -> None:
    client = keyed.as_openai(keyed.add("bulk", UNDECLARED, role="bulk"))
    answer = await client.chat.completions.create(model="anything", messages=ask("hi"))
    assert (answer.choices[0].message.content, simulator.messages()[0].body["model"]) == (ANSWER, "gpt-5.1")
    assert [model.id async for model in client.models.list()] == ["role:bulk"]


async def test_a_client_stops_at_its_own_budget_and_others_go_on(keyed: Served, simulator: Simulator) -> None:
    simulator.script("play", [Answer(content=(Text(ANSWER),), usage=Usage(output_tokens=1000))])
    client = keyed.as_openai(keyed.add("shop", UNDECLARED, wallets=("api_key",), day_budget_usd=0.03))
    await client.chat.completions.create(model="claude-sonnet-4-6", messages=ask("hi"))
    with pytest.raises(openai.APIStatusError) as failed:
        await client.chat.completions.create(model="claude-sonnet-4-6", messages=ask("hi"))
    assert (failed.value.status_code, failed.value.type) == (402, "insufficient_quota")
    other = keyed.as_openai(keyed.add("other", UNDECLARED, wallets=("api_key",)))
    assert await other.chat.completions.create(model="claude-sonnet-4-6", messages=ask("hi"))


async def test_parallel_calls_are_handed_over_on_a_key_too(keyed: Served, simulator: Simulator) -> None:
    twice = Answer(content=(ToolUse("look", {}), ToolUse("look", {})))
    simulator.script("play", [twice, twice, Answer(content=(Text(ANSWER),))])
    client = keyed.as_openai(keyed.add("shop", UNDECLARED, wallets=("api_key",)))
    messages = ask("hi")
    for how in ("fresh", "parked"):
        raw = await client.chat.completions.with_raw_response.create(
            model="claude-sonnet-4-6", messages=messages, tools=[FUNCTION]
        )
        message = raw.parse().choices[0].message
        assert (raw.headers["oneseat-history"], len(message.tool_calls)) == (how, 2)
        messages = [*messages, message.model_dump(exclude_none=True)]
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": "seen"} for call in message.tool_calls
        ]
    answer = await client.chat.completions.create(
        model="claude-sonnet-4-6", messages=messages, tools=[FUNCTION]
    )
    assert answer.choices[0].message.content == ANSWER
    assert len(simulator.messages()) == 3
