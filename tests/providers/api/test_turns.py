"""One run on a key: rounds with functions, budgets, what is taken back, and what stops it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.events import Message, Started, ToolCall, ToolResult, UsageSeen
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import Attachment
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.schemas import is_strict
from oneseat.rules.inputs.functions import functions_of, tool
from oneseat.testing import Answer, Simulator, Text, ToolRound, ToolUse, Usage

from .asking import apis, ask, asked, permitted, plan, provider

DONE = Answer(content=(Text("done"),), usage=Usage(output_tokens=5))


class Doorman:
    """Lets each request write ``tokens``, and turns away what comes after the first ``requests``."""

    def __init__(self, tokens: int, requests: int = 9) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self._tokens = tokens
        self._requests = requests

    async def __call__(self, *, text_bytes: int, pictures: int, output_tokens: int) -> int:
        self.asked.append((text_bytes, pictures, output_tokens))
        if len(self.asked) > self._requests:
            raise OneseatError(ErrorInfo(code="budget.reached", message="nothing is left"))
        return min(self._tokens, output_tokens)


@tool(read_only=True)
async def look(place: str) -> str:
    """Look at a place."""
    return f"nothing in {place}"


order: list[str] = []


@tool
async def write(text: str) -> str:
    """Write something down."""
    order.append(f"begins {text}")
    await asyncio.sleep(0)
    order.append(f"ends {text}")
    return "written"


def bound_in(body: dict[str, Any]) -> int | None:
    """The bound on output tokens that a request carries, in any of the APIs."""
    config: dict[str, Any] = body.get("generationConfig", {})
    found: int | None = body.get("max_tokens", body.get("max_output_tokens", config.get("maxOutputTokens")))
    return found


@apis
def test_a_budget_bounds_every_request(simulator: Simulator, api: str) -> None:
    doorman = Doorman(100)
    simulator.script("round", [ToolRound(call=ToolUse("look", {"place": "box"}), answer=DONE)])
    turn = ask(provider(api, simulator.url("round")), doorman, functions=functions_of([look]))
    assert (turn.code, turn.ended.text) == (None, "done")
    assert [bound_in(record.body) for record in simulator.requests()] == [100, 100]
    first, second = doorman.asked
    assert second[0] > first[0] > len("say ok")
    assert {most for _, _, most in doorman.asked} == {APIS[api].most_tokens}


@apis
def test_without_a_budget_only_an_api_that_wants_a_bound_gets_one(simulator: Simulator, api: str) -> None:
    ask(provider(api, simulator.url("ok")))
    wanted = APIS[api].most_tokens if api == "anthropic" else None
    assert bound_in(simulator.requests()[0].body) == wanted


@apis
def test_a_budget_that_ends_between_two_requests_ends_the_run(simulator: Simulator, api: str) -> None:
    simulator.script("round", [ToolRound(call=ToolUse("look", {"place": "box"}), answer=DONE)])
    turn = ask(provider(api, simulator.url("round")), Doorman(100, 1), functions=functions_of([look]))
    assert turn.code == "budget.reached"
    assert len(simulator.requests()) == 1
    assert turn.ended.usage is not None
    assert turn.ended.usage.output_tokens


@apis
def test_what_is_sent_is_never_more_than_the_budget_was_told(simulator: Simulator, api: str) -> None:
    doorman = Doorman(100)
    text = "ñandú 🙂 " * 200
    files = (
        Attachment("a.txt", "text/plain", text.encode()),
        Attachment("b.png", "image/png", b"\x89PNG" * 999),
    )
    ask(
        provider(api, simulator.url("ok")), doorman, prompt=text, attachments=files, schema={"type": "object"}
    )
    text_bytes, pictures, _ = doorman.asked[0]
    assert pictures == 1
    assert 2 * len(text.encode()) < text_bytes < 3 * len(text.encode())


def test_the_pages_of_a_document_are_counted(simulator: Simulator) -> None:
    doorman = Doorman(100)
    pages = b"%PDF-1.7 /Type /Pages " + b"<< /Type /Page >> <</Type/Page/Parent 1>>" * 2
    packed = b"%PDF-1.7 all is packed"
    for data in (pages, packed):
        file = Attachment("a.pdf", "application/pdf", data)
        ask(provider("anthropic", simulator.url("ok")), doorman, attachments=(file,))
    assert [pictures for _, pictures, _ in doorman.asked] == [4, 1]


@apis
def test_tokens_of_all_rounds_are_added_up(simulator: Simulator, api: str) -> None:
    usage = Usage(input_tokens=10, cache_write_5m_tokens=0, cache_read_tokens=0, output_tokens=5)
    call = Answer(content=(ToolUse("look", {"place": "box"}),), usage=usage)
    simulator.script("rounds", [call, call, Answer(content=(Text("done"),), usage=usage)])
    turn = ask(provider(api, simulator.url("rounds")), functions=functions_of([look]))
    used = turn.ended.usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens) == (30, 15)
    stops = [event.stop_reason for event in turn.events if isinstance(event, UsageSeen) and event.stop_reason]
    assert stops == ["tool_use", "tool_use", "end_turn"]


@apis
def test_what_changes_something_goes_one_after_the_other(simulator: Simulator, api: str) -> None:
    order.clear()
    calls = (ToolUse("write", {"text": "a"}), ToolUse("write", {"text": "b"}))
    simulator.script("both", [Answer(content=calls), DONE])
    turn = ask(provider(api, simulator.url("both")), functions=functions_of([write, look]))
    assert (turn.code, order) == (None, ["begins a", "ends a", "begins b", "ends b"])


@apis
def test_arguments_that_are_no_object_and_tools_that_are_not_there_are_told_to_the_model(
    simulator: Simulator, api: str
) -> None:
    simulator.script("wrong", [Answer(content=(ToolUse("gone", {}),)), DONE])
    turn = ask(provider(api, simulator.url("wrong")), functions=functions_of([look]))
    results = [event for event in turn.events if isinstance(event, ToolResult)]
    assert [(result.is_error, "No such tool" in result.text) for result in results] == [(True, True)]
    assert turn.ended.text == "done"


@apis
def test_turns_are_bounded(simulator: Simulator, api: str) -> None:
    simulator.script("loop", [Answer(content=(ToolUse("look", {"place": "box"}),))])
    turn = ask(provider(api, simulator.url("loop")), functions=functions_of([look]), max_turns=3)
    assert (turn.code, len(simulator.requests())) == ("budget.turns_reached", 3)
    assert turn.ended.usage is not None, "all that was sent was answered and counted"


@apis
def test_names_in_events_are_those_of_every_provider(simulator: Simulator, api: str) -> None:
    simulator.script("round", [ToolRound(call=ToolUse("look", {"place": "box"}), answer=DONE)])
    turn = ask(provider(api, simulator.url("round")), functions=functions_of([look]))
    (started,) = [event for event in turn.events if isinstance(event, Started)]
    (call,) = [event for event in turn.events if isinstance(event, ToolCall)]
    assert (started.tools, started.mcp_servers) == (("mcp__oneseat__look",), ("oneseat:connected",))
    assert call.name == "mcp__oneseat__look"


@apis
def test_what_failed_is_not_part_of_a_conversation(simulator: Simulator, api: str) -> None:
    simulator.script("talk", [Answer(content=(Text("first"),), stop_reason="max_tokens"), DONE, DONE])

    async def talk() -> None:
        async with provider(api, simulator.url("talk")).conversation() as held:
            assert (await asked(held, prompt="remember apples")).code == "incomplete.max_tokens"
            assert (await asked(held, prompt="remember pears")).code is None
            assert (await asked(held, prompt="what did I say?")).code is None

    asyncio.run(talk())
    bodies = [str(record.body) for record in simulator.requests()]
    assert ("apples" in bodies[1], "pears" in bodies[2], "apples" in bodies[2]) == (False, True, False)


def test_an_open_conversation_cannot_change_its_terms(simulator: Simulator) -> None:
    async def talk() -> None:
        async with provider("openai", simulator.url("ok")).conversation() as held:
            await asked(held, system="Be brief.")
            await asked(held, system="Be long.")

    with pytest.raises(UsageError) as caught:
        asyncio.run(talk())
    assert caught.value.info.code == "usage.conversation_changed"
    assert len(simulator.requests()) == 1


def test_a_key_that_was_taken_away_is_not_used_any_more(simulator: Simulator) -> None:
    keys = iter(["sk-made-up-0123456789", ""])

    async def talk() -> None:
        async with provider("openai", simulator.url("ok"), lambda: next(keys)).conversation() as held:
            await asked(held)
            await asked(held)

    asyncio.run(talk())
    assert [record.auth for record in simulator.requests()] == [("bearer",), ()]


@apis
def test_a_conversation_of_elsewhere_is_lost(simulator: Simulator, api: str) -> None:
    made = provider(api, simulator.url("ok"))

    async def resume() -> None:
        stamp = SessionStamp(id="5e551000-0000-4000-8000-000000000000", resumed=True, message=2)
        async with made.open(permitted(), "run1", stamp):
            pass

    with pytest.raises(OneseatError) as caught:
        asyncio.run(resume())
    assert caught.value.info.code == "provider.session_lost"


@apis
def test_a_repair_is_part_of_the_same_turn(simulator: Simulator, api: str) -> None:
    simulator.script("mend", [Answer(content=(Text("no"),)), Answer(content=(Text("yes"),))])
    made = provider(api, simulator.url("mend"))

    async def mend() -> list[str]:
        said = []
        async with made.open(permitted(), "run1") as session:
            await session.credential_facts()
            await session.ready()
            for turn in (session.send(plan(permitted(), made)), session.say("again")):
                said += [each.text async for batch in turn for each in batch if isinstance(each, Message)]
        return said

    assert asyncio.run(mend()) == ["no", "yes"]


def test_a_provider_without_a_model_of_its_own_wants_one(simulator: Simulator) -> None:
    from oneseat.providers.api.account import ApiAccount
    from oneseat.providers.api.provider import ApiProvider

    account = ApiAccount(key="local", place="nowhere", base_url=simulator.url("ok") + "/v1")
    made = ApiProvider(APIS["openai-compatible"], account, str, str)
    with pytest.raises(UsageError) as caught:
        ask(made)
    assert caught.value.info.code == "usage.no_model"
    assert ask(made, model="llama").code is None


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, False),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, False),
        ({"type": "object"}, False),
        ({"type": "array", "items": {"type": "object"}}, False),
    ],
)  # fmt: skip
def test_a_schema_is_strict_only_where_the_api_takes_it(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


def test_an_sdk_that_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError) as caught:
        provider("gemini", "http://127.0.0.1:1")
    assert caught.value.info.code == "usage.sdk"
    assert caught.value.info.hint == "Install it: `pip install 'oneseat[gemini]'`"
