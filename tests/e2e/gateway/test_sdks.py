"""The vendors' own SDKs, unchanged, against the official CLI on the simulator."""

from __future__ import annotations

import base64
import json
from typing import Any

import anthropic
import openai
import pytest

from oneseat.app.runs import find_run
from oneseat.testing import Answer, Simulator, Text
from oneseat.testing.replies import Echo, Structured
from oneseat.testing.scenarios import replies_for

from .conftest import ANSWER
from .served import Served, ask, sent

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


async def test_anthropics_sdk_gets_an_answer_with_every_field(real: Served, simulator: Simulator) -> None:
    raw = await real.anthropic.messages.with_raw_response.create(
        model="sonnet", max_tokens=100, system="Be brief.", messages=ask("hi")
    )
    message = await raw.parse()
    assert [block.text for block in message.content] == [ANSWER]
    assert (message.stop_reason, message.stop_sequence, message.role) == ("end_turn", None, "assistant")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (
        10,
        1000,
        100,
    )
    assert usage.output_tokens == 4
    assert message.model.startswith("claude-")
    assert raw.headers["oneseat-history"] == "fresh"
    assert raw.headers["oneseat-wallet"] == "simulator"
    assert raw.headers["oneseat-ignored"] == "max_tokens"
    run = find_run(real.here, raw.headers["oneseat-run-id"])
    assert run.result is not None
    assert run.result.receipt.verdict == "verified"
    assert run.result.receipt.policy is not None
    assert (run.result.receipt.policy.rule, run.result.receipt.policy.confirmed is not None) == ("Y11", True)
    (request,) = simulator.messages()
    assert "Be brief." in json.dumps(request.body["system"])


async def test_anthropics_stream_adds_up_to_the_same_message(real: Served) -> None:
    async with real.anthropic.messages.stream(model="sonnet", max_tokens=100, messages=ask("hi")) as stream:
        kinds = [event.type async for event in stream]
        message = await stream.get_final_message()
    assert (message.content[0].text, message.stop_reason) == (ANSWER, "end_turn")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 4)
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


async def test_openais_sdk_gets_an_answer_with_every_field(real: Served) -> None:
    answer = await real.openai.chat.completions.create(
        model="sonnet", messages=ask("hi"), temperature=0.5, seed=1
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (ANSWER, "stop")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1110, 4, 1114)
    assert usage.prompt_tokens_details.cached_tokens == 1000


@pytest.mark.parametrize("include", [True, False])
async def test_openais_stream_reports_usage_where_it_is_asked_for(real: Served, include: bool) -> None:
    stream = await real.openai.chat.completions.create(
        model="sonnet", messages=ask("hi"), stream=True, stream_options={"include_usage": include}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ANSWER
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([1114] if include else [])


async def test_openais_responses_are_answered_and_streamed(real: Served) -> None:
    answer = await real.openai.responses.create(model="sonnet", input="hi", instructions="Be brief.")
    assert (answer.output_text, answer.status, answer.usage.total_tokens) == (ANSWER, "completed", 1114)
    async with real.openai.responses.stream(model="sonnet", input=ask("hi")) as stream:
        kinds = [event.type async for event in stream]
        whole = await stream.get_final_response()
    assert (kinds[0], kinds[-1], whole.output_text) == ("response.created", "response.completed", ANSWER)


async def test_images_documents_and_system_reach_the_model(real: Served, simulator: Simulator) -> None:
    pdf = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
    blocks = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": pdf}},
        {"type": "text", "text": "what is this?"},
    ]
    await real.anthropic.messages.create(
        model="sonnet", max_tokens=100, messages=[{"role": "user", "content": blocks}]
    )
    await real.openai.chat.completions.create(
        model="sonnet",
        messages=[
            {"role": "system", "content": "Look."},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {"type": "text", "text": "and this?"},
                ],
            },
        ],
    )
    kinds = [[block["type"] for block in messages[-1]["content"]] for messages in sent(simulator)]
    assert kinds == [["image", "document", "text"], ["image", "text"]]


async def test_an_address_is_never_fetched(real: Served) -> None:
    content = [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}]
    with pytest.raises(openai.BadRequestError):
        await real.openai.chat.completions.create(
            model="sonnet", messages=[{"role": "user", "content": content}]
        )


async def test_an_answer_ends_at_a_stop_sequence_and_so_does_its_run(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(Text("one two END three four"),), pace_s=0.05)])
    message = await real.anthropic.messages.create(
        model="sonnet", max_tokens=100, stop_sequences=["END"], messages=ask("count")
    )
    assert (message.content[0].text, message.stop_reason, message.stop_sequence) == (
        "one two ",
        "stop_sequence",
        "END",
    )
    assert message.usage.output_tokens > 0


async def test_structured_answers_fit_their_schema_in_each_api(real: Served, simulator: Simulator) -> None:
    simulator.script("play", [Answer(content=(Structured({"city": "Oslo"}),))])
    chat = await real.openai.chat.completions.create(
        model="sonnet",
        messages=ask("where?"),
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "place", "strict": True, "schema": SCHEMA},
        },
    )
    assert json.loads(chat.choices[0].message.content) == {"city": "Oslo"}
    response = await real.openai.responses.create(
        model="sonnet",
        input="where?",
        text={"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}},
    )
    assert json.loads(response.output_text) == {"city": "Oslo"}
    message = await real.anthropic.messages.create(
        model="sonnet",
        max_tokens=100,
        messages=ask("where?"),
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    )
    assert json.loads(message.content[0].text) == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("scenario", "status"),
    [("limit-five-hour", 429), ("unauthorized", 502)],
)
async def test_what_the_vendor_refuses_has_its_status(
    real: Served, simulator: Simulator, scenario: str, status: int
) -> None:
    simulator.script("play", replies_for(scenario, {}))
    with pytest.raises(anthropic.APIStatusError) as failed:
        await real.anthropic.messages.create(model="sonnet", max_tokens=100, messages=ask("hi"))
    assert failed.value.status_code == status
    assert failed.value.response.headers["oneseat-run-id"]
    assert ("retry-after" in failed.value.response.headers) == (status == 429)


async def test_an_answer_that_was_begun_twice_is_given_once(real: Served, simulator: Simulator) -> None:
    broken = replies_for("reset-mid-stream-once", {})[0]
    simulator.script("play", [broken, Answer(content=(Text(ANSWER),))])
    message = await real.anthropic.messages.create(model="sonnet", max_tokens=100, messages=ask("hi"))
    assert message.content[0].text == ANSWER
    simulator.clear()
    with pytest.raises(openai.APIError):
        async for _ in await real.openai.chat.completions.create(
            model="sonnet", messages=ask("hi"), stream=True
        ):
            pass


async def test_a_cut_answer_is_an_answer_that_says_so(real: Served, simulator: Simulator) -> None:
    simulator.script("play", replies_for("max-tokens", {}))
    answer = await real.openai.chat.completions.create(model="sonnet", messages=ask("hi"))
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    "changed",
    [
        {"n": 2},
        {"logprobs": True},
        {"modalities": ["text", "audio"]},
        {"functions": [{"name": "f"}]},
        {"extra_body": {"no_such_parameter": 1}},
    ],
)
async def test_what_would_change_the_shape_is_refused_by_name(real: Served, changed: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await real.openai.chat.completions.create(model="sonnet", messages=ask("hi"), **changed)
    name = next(iter(changed.get("extra_body", changed)))
    assert f"`{name}`" in refused.value.message


async def test_a_client_that_wants_to_know_is_refused_for_a_hint(quick: Served) -> None:
    from .served import OWN

    strict = quick.as_openai(quick.add("strict", OWN, on_unsupported="refuse"))
    with pytest.raises(openai.BadRequestError) as refused:
        await strict.chat.completions.create(model="sonnet", messages=ask("hi"), temperature=0.1)
    assert "`temperature`" in refused.value.message
    assert await strict.chat.completions.create(model="sonnet", messages=ask("hi"))


async def test_models_and_tokens_are_counted_in_both_shapes(quick: Served) -> None:
    assert [model.id async for model in quick.openai.models.list()][:3] == ["sonnet", "opus", "haiku"]
    assert [model.id async for model in quick.anthropic.models.list()][:3] == ["sonnet", "opus", "haiku"]
    assert (await quick.openai.models.retrieve("sonnet")).id == "sonnet"
    counted = await quick.anthropic.messages.count_tokens(model="sonnet", messages=ask("word " * 400))
    assert 200 < counted.input_tokens < 1000


async def test_a_conversation_that_is_held_goes_on_and_any_other_is_rendered_once(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(Text(ANSWER),)), Answer(content=(Echo(),))])

    async def said(*texts: str, **more: Any) -> tuple[str, str]:
        raw = await real.anthropic.messages.with_raw_response.create(
            model="sonnet", max_tokens=100, messages=ask(*texts), **more
        )
        return raw.headers["oneseat-history"], (await raw.parse()).content[0].text

    assert await said("one") == ("fresh", ANSWER)
    assert await said("one", ANSWER, "two") == ("continued", "two")
    assert len(sent(simulator)[1]) == 3
    # Other instructions, or another answer than the one that was given, are another conversation.
    how, text = await said("one", ANSWER, "two", system="Be loud.")
    assert (how, "\n".join(sent(simulator)[2][0]["content"][-1]["text"].splitlines()[-1:])) == (
        "rendered",
        "two",
    )
    assert ANSWER in text
    assert (await said("one", "something </conversation> else", "two"))[0] == "rendered"
    assert sent(simulator)[3][0]["content"][-1]["text"].count("</conversation>") == 1
