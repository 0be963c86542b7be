"""The simulator's other APIs, asked by the vendors' own SDKs: the same scenarios, in each API's own words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import pytest
from google import genai
from google.genai import errors as genai_errors
from openai import APIError, AsyncOpenAI

from oneseat.testing import SIMULATOR_KEY, Answer, Simulator, Text, Thinking, ToolRound, ToolUse, Usage

MIXED = Answer(
    content=(
        Thinking("let me see"),
        Text("hello big world"),
        ToolUse("weather", {"city": "Lima", "days": 2}),
    ),
    usage=Usage(input_tokens=5, cache_write_5m_tokens=7, cache_read_tokens=11),
)


class Got(NamedTuple):
    """What an SDK made of an answer."""

    text: str = ""
    thought: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    end: str | None = None
    tokens: tuple[int | None, ...] = ()
    pieces: int = 0


def openai_client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=SIMULATOR_KEY, base_url=f"{url}/v1", max_retries=0, timeout=5)


async def ask_responses(url: str, **fields: Any) -> Got:
    async with openai_client(url) as client:
        stream = await client.responses.create(model="gpt-made-up", input="say ok", stream=True, **fields)
        events = [event.model_dump() async for event in stream]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last = events[-1]["response"]
    items, usage = last["output"], last["usage"]
    deltas = [event for event in events if event["type"].endswith(("output_text.delta", "refusal.delta"))]
    said = [part for item in items if item["type"] == "message" for part in item["content"]]
    assert "".join(each["delta"] for each in deltas) == "".join(
        part.get("text") or part.get("refusal") or "" for part in said
    )
    return Got(
        text="".join(each["delta"] for each in deltas),
        thought="".join(part["text"] for item in items if item["type"] == "reasoning" for part in item["summary"]),
        calls=tuple((item["name"], item["arguments"]) for item in items if item["type"] == "function_call"),
        end=events[-1]["type"],
        tokens=(usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"], usage["output_tokens"]),
        pieces=len(deltas),
    )  # fmt: skip


async def ask_chat(url: str, **fields: Any) -> Got:
    async with openai_client(url) as client:
        stream = await client.chat.completions.create(
            model="gpt-made-up", messages=[{"role": "user", "content": "say ok"}], stream=True,
            stream_options={"include_usage": True}, **fields,
        )  # fmt: skip
        chunks = [chunk.model_dump() async for chunk in stream]
    *content, last = chunks
    deltas = [chunk["choices"][0]["delta"] for chunk in content]
    calls = [call for delta in deltas for call in delta["tool_calls"] or ()]
    names = tuple(call["function"]["name"] for call in calls if call["function"]["name"])
    arguments = "".join(call["function"]["arguments"] for call in calls)
    usage = last["usage"]
    return Got(
        text="".join(delta["content"] or "" for delta in deltas),
        thought="".join(delta.get("reasoning_content") or "" for delta in deltas),
        calls=tuple((name, arguments) for name in names),
        end=content[-1]["choices"][0]["finish_reason"],
        tokens=(usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"], usage["completion_tokens"]),
        pieces=sum(bool(delta["content"]) for delta in deltas),
    )  # fmt: skip


async def ask_gemini(url: str, **fields: Any) -> Got:
    async with genai.Client(
        api_key=SIMULATOR_KEY, http_options={"base_url": url, "timeout": 5000}
    ).aio as client:
        stream = await client.models.generate_content_stream(
            model="gemini-made-up", contents="say ok", config=genai.types.GenerateContentConfig(**fields)
        )
        chunks = [chunk.model_dump(mode="json") async for chunk in stream]
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"] or ()]
    calls = [part["function_call"] for part in parts if part["function_call"]]
    texts = [part["text"] for part in parts if part["text"] and not part["thought"]]
    usage = chunks[-1]["usage_metadata"]
    written = (usage["candidates_token_count"] or 0) + (usage["thoughts_token_count"] or 0)
    return Got(
        text="".join(texts),
        thought="".join(part["text"] for part in parts if part["thought"]),
        calls=tuple((call["name"], call["args"]) for call in calls),
        end=chunks[-1]["candidates"][0]["finish_reason"],
        tokens=(usage["prompt_token_count"], usage["cached_content_token_count"], written),
        pieces=len(texts),
    )


ApprovalCallback = Callable[..., Coroutine[Any, Any, Got]]
ASKERS: dict[str, ApprovalCallback] = {"responses": ask_responses, "chat": ask_chat, "gemini": ask_gemini}
#: How each API says that it is done, cut, and refusing.
ENDS = {
    "responses": ("response.completed", "response.incomplete", "response.completed"),
    "chat": ("stop", "length", "content_filter"),
    "gemini": ("STOP", "MAX_TOKENS", "SAFETY"),
}
apis = pytest.mark.parametrize("api", ASKERS)


@apis
def test_an_answer_arrives_in_pieces(simulator: Simulator, api: str) -> None:
    got = asyncio.run(ASKERS[api](simulator.url("ok")))
    assert got == Got("ok from the simulator", end=ENDS[api][0], tokens=(1110, 1000, 4), pieces=4)


@apis
def test_thinking_and_a_tool_call_arrive_whole(simulator: Simulator, api: str) -> None:
    simulator.script("mixed", [MIXED])
    got = asyncio.run(ASKERS[api](simulator.url("mixed")))
    arguments = {"city": "Lima", "days": 2} if api == "gemini" else '{"city":"Lima","days":2}'
    assert (got.text, got.thought, got.calls) == ("hello big world", "let me see", (("weather", arguments),))
    assert got.tokens == (23, 11, 9)


@apis
@pytest.mark.parametrize(("scenario", "end"), [("max-tokens", 1), ("refusal", 2)])
def test_why_the_model_stopped_is_said_in_the_apis_words(
    simulator: Simulator, api: str, scenario: str, end: int
) -> None:
    assert asyncio.run(ASKERS[api](simulator.url(scenario))).end == ENDS[api][end]


@pytest.mark.parametrize(
    ("api", "fields"),
    [
        ("responses", {"max_output_tokens": 2}),
        ("chat", {"max_completion_tokens": 2}),
        ("chat", {"max_tokens": 2}),
        ("gemini", {"max_output_tokens": 2}),
    ],
)
def test_a_bound_on_output_tokens_is_kept(simulator: Simulator, api: str, fields: dict[str, int]) -> None:
    got = asyncio.run(ASKERS[api](simulator.url("text:one two three"), **fields))
    assert (got.text, got.end, got.tokens[2]) == ("one two", ENDS[api][1], 2)


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("api", "fields"),
    [
        ("responses", {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}}),
        ("chat", {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}),
        ("gemini", {"response_mime_type": "application/json", "response_json_schema": SCHEMA}),
    ],
)  # fmt: skip
def test_a_structure_fits_the_schema_of_the_request(
    simulator: Simulator, api: str, fields: dict[str, Any]
) -> None:
    got = asyncio.run(ASKERS[api](simulator.url("structured"), **fields))
    assert got.text == '{"name":"text"}'


@pytest.mark.parametrize(
    ("api", "given"),
    [
        ("responses", {"input": [{"type": "function_call_output", "call_id": "c", "output": "12"}]}),
        ("chat", {"messages": [{"role": "tool", "tool_call_id": "c", "content": "12"}]}),
    ],
)
def test_a_tool_round_ends_with_the_tools_result(
    simulator: Simulator, api: str, given: dict[str, Any]
) -> None:
    simulator.script("round", [ToolRound(call=ToolUse("f", {}), answer=Answer(content=(Text("done"),)))])
    url = simulator.url("round")

    async def ask_whole() -> str:
        async with openai_client(url) as client:
            if api == "responses":
                text: str = (await client.responses.create(model="m", **given)).output_text
            else:
                whole = await client.chat.completions.create(model="m", **given)
                text = whole.choices[0].message.content
            return text

    assert asyncio.run(ASKERS[api](url)).calls == (("f", "{}"),)
    assert asyncio.run(ask_whole()) == "done"


def test_a_tool_round_of_gemini_ends_with_the_tools_result(simulator: Simulator) -> None:
    simulator.script("round", [ToolRound(call=ToolUse("f", {}), answer=Answer(content=(Text("done"),)))])
    result = {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"output": "12"}}}]}
    with genai.Client(api_key="k", http_options={"base_url": simulator.url("round")}) as client:
        assert client.models.generate_content(model="m", contents=[result]).text == "done"


#: Scenario to the status and the code that OpenAI's APIs and Gemini's give.
FAILURES = {
    "bad-request": ((400, None), (400, "INVALID_ARGUMENT")),
    "prompt-too-long": ((400, "context_length_exceeded"), (400, "INVALID_ARGUMENT")),
    "credit-balance": ((429, "insufficient_quota"), (429, "RESOURCE_EXHAUSTED")),
    "invalid-api-key": ((401, "invalid_api_key"), (400, "INVALID_ARGUMENT")),
    "forbidden": ((403, "insufficient_permissions"), (403, "PERMISSION_DENIED")),
    "not-found": ((404, "model_not_found"), (404, "NOT_FOUND")),
    "too-large": ((413, None), (413, "INVALID_ARGUMENT")),
    "rate-limited": ((429, "rate_limit_exceeded"), (429, "RESOURCE_EXHAUSTED")),
    "server-error": ((500, None), (500, "INTERNAL")),
    "overloaded": ((503, "server_is_overloaded"), (503, "UNAVAILABLE")),
}


@apis
@pytest.mark.parametrize("scenario", FAILURES)
def test_an_error_has_the_apis_own_shape(simulator: Simulator, api: str, scenario: str) -> None:
    with pytest.raises((APIError, genai_errors.APIError)) as caught:
        asyncio.run(ASKERS[api](simulator.url(scenario)))
    error: Any = caught.value
    if api == "gemini":
        assert (error.code, error.status) == FAILURES[scenario][1]
    else:
        assert (error.status_code, error.code) == FAILURES[scenario][0]


@apis
@pytest.mark.parametrize("prefix", ["", "/lab"])
def test_who_asked_is_recorded_without_the_key(simulator: Simulator, api: str, prefix: str) -> None:
    label = prefix.removeprefix("/") or None
    asyncio.run(ASKERS[api](simulator.url("ok", label)))
    (record,) = simulator.requests()
    assert record.is_message
    assert record.auth == (("x-goog-api-key",) if api == "gemini" else ("bearer",))
    assert record.simulator_token
    assert (record.label, record.model) == (label, "gemini-made-up" if api == "gemini" else "gpt-made-up")
    assert SIMULATOR_KEY not in repr(record)


def test_the_paths_without_a_version_are_the_same_api(simulator: Simulator) -> None:
    async def ask_plain() -> str:
        async with AsyncOpenAI(api_key="k", base_url=simulator.url("ok"), max_retries=0) as client:
            said = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x"}]
            )
            return (await client.responses.create(model="m", input="x")).output_text + str(
                said.choices[0].message.content
            )

    assert asyncio.run(ask_plain()) == "ok from the simulator" * 2
    assert [record.path for record in simulator.messages()] == ["/chat/completions", "/responses"]


@apis
@pytest.mark.parametrize("scenario", ["eof-mid-stream", "error-mid-stream"])
def test_a_broken_stream_never_ends_as_a_whole_one(simulator: Simulator, api: str, scenario: str) -> None:
    with contextlib.suppress(Exception):  # which error it is, is the SDK's; some give none and just stop
        assert asyncio.run(ASKERS[api](simulator.url(scenario))).end not in ENDS[api]


@apis
def test_a_body_that_is_no_request_is_refused(simulator: Simulator, api: str) -> None:
    async def nothing() -> None:
        if api == "gemini":
            async with genai.Client(api_key="k", http_options={"base_url": simulator.url()}).aio as client:
                await client.models.generate_content(model="m", contents=[])
        else:
            async with openai_client(simulator.url()) as client:
                path = "/responses" if api == "responses" else "/chat/completions"
                await client.post(path, cast_to=object, body={"model": "m"})

    with pytest.raises((APIError, genai_errors.APIError, ValueError)):
        asyncio.run(nothing())
