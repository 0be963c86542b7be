"""Servers that speak nearly like OpenAI: what they answer, byte for byte."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from oneseat.contract.events import ThinkingDelta, ToolCall
from oneseat.providers.api.account import ApiAccount
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.api.provider import ApiProvider
from oneseat.rules.inputs.functions import functions_of, tool

from .asking import KEY, Turn, ask

USAGE = {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}}
API = "openai-compatible"


@contextmanager
def server(*bodies: tuple[str, bytes]) -> Iterator[tuple[ApiProvider, list[Any]]]:
    """A provider at a server that gives these answers, one after the other, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            kind, body = bodies[min(len(asked), len(bodies)) - 1]
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{http.server_address[1]}/v1"
        account = ApiAccount(key="work", place="this test", base_url=url, default_model="made-up-1")
        try:
            yield ApiProvider(APIS[API], account, lambda: KEY, str), asked
        finally:
            http.shutdown()
            thread.join()


def chunk(delta: Any = None, finish: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }


def stream(*parts: Any, end: str = "data: [DONE]\n\n") -> tuple[str, bytes]:
    lines = [part if isinstance(part, str) else f"data: {json.dumps(part)}" for part in parts]
    return "text/event-stream", ("".join(f"{line}\n\n" for line in lines) + end).encode(
        "utf-8", "surrogatepass"
    )


def answer(*bodies: tuple[str, bytes], **options: Any) -> tuple[Turn, list[Any]]:
    with server(*bodies) as (made, asked):
        return ask(made, **options), asked


HELLO = chunk({"role": "assistant", "content": "hello"})
STOP = chunk({}, "stop")
WHOLE = {
    "id": "c",
    "choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": USAGE["usage"],
}


@pytest.mark.parametrize(
    "body",
    [
        stream(HELLO, STOP, USAGE),
        stream(chunk({"content": [{"type": "text", "text": "hel"}, "lo"]}), STOP, USAGE),
        stream(chunk({"content": {"type": "text", "text": "hello"}}), STOP, USAGE),
        stream(chunk({"content": [{"type": "text", "text": {"value": "hello", "annotations": []}}]}), STOP, USAGE),
        stream(chunk({"content": [{"type": "output_text", "text": {"value": "hello"}}]}), STOP, USAGE),
        stream(chunk({"content": {"value": "hello"}}), STOP, USAGE),
        stream(HELLO, STOP, {**USAGE, "choices": None}),
        stream(HELLO, chunk(None, "stop"), USAGE),
        stream(HELLO, chunk({}, "eos"), USAGE),
        stream(HELLO, chunk({}, "STOP"), USAGE),
        stream(HELLO, chunk({}, ""), USAGE),
        stream(HELLO, USAGE),
        stream(": keep-alive", "event: ping\ndata:", "", HELLO, "id: 4\nretry: x", STOP, USAGE, end=""),
        stream(HELLO, chunk({}, "stop", x_groq={"usage": USAGE["usage"]})),
        stream({"id": 4, "model": ["m"], "choices": [{"index": 1, "delta": {"content": "B"}}]}, HELLO, STOP, USAGE),
        stream(HELLO, chunk({"tool_calls": None, "refusal": None, "content": None}, "stop"), USAGE),
        stream(WHOLE),
        ("application/json", json.dumps(WHOLE, indent=1).encode()),
        ("text/plain", f"\ufeff{json.dumps(WHOLE)}\r\n".encode()),
        ("text/event-stream", stream(HELLO, STOP, USAGE)[1].replace(b"\n", b"\r\n")),
        ("text/event-stream", stream(HELLO, STOP, USAGE)[1].replace(b"\n", b"\r")),
    ],
)  # fmt: skip
def test_an_answer_is_read_whatever_its_form(body: tuple[str, bytes]) -> None:
    turn, asked = answer(body)
    assert (turn.code, turn.ended.text, len(asked)) == (None, "hello", 1)
    assert turn.ended.usage is not None
    assert (turn.ended.usage.input_tokens, turn.ended.usage.output_tokens) == (10, 5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (stream({"error": {"message": "quota", "code": "insufficient_quota"}}), "provider.credit_exhausted"),
        (
            stream(HELLO, {"error": {"message": "Provider returned error", "code": 502}}),
            "provider.server_error",
        ),
        (stream({"error": "Overloaded"}), "provider.api_error"),
        (
            stream({"choices": None, "error_message": "maximum context length is 9"}),
            "provider.context_overflow",
        ),
        (stream({"object": "error", "message": "no such model", "code": 404}), "provider.model_not_found"),
        (
            ("application/json", b'{"error":{"message":"no","type":"insufficient_quota"}}'),
            "provider.credit_exhausted",
        ),
        (("application/json", b'[{"error":{"message":"no","code":429}}]'), "limit.rate_limited"),
        (("application/json", b'{"detail":"Not Found"}'), "provider.api_error"),
        (stream(HELLO, end=""), "incomplete.cut_off"),
        (stream(HELLO, USAGE, end=""), "incomplete.cut_off"),
        (stream(chunk({"reasoning": "a"}), end=""), "provider.connection_lost"),
        (stream(chunk({"role": "assistant", "content": ""}), end=""), "provider.garbled"),
        (("application/json", b""), "provider.garbled"),
        (("application/json", b"\n\n"), "provider.garbled"),
        (("application/json", b"[]"), "provider.garbled"),
        (("application/json", b"{}"), "provider.garbled"),
        (stream(HELLO, chunk({}, "length"), USAGE), "incomplete.max_tokens"),
        (stream(HELLO, chunk({}, "sensitive"), USAGE), "incomplete.refused"),
        (stream(HELLO, chunk({}, "abort"), USAGE), "provider.api_error"),
    ],
)
def test_a_failure_is_seen_whatever_its_form(body: tuple[str, bytes], code: str) -> None:
    turn, _ = answer(body)
    assert turn.code == code


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_what_was_thought_is_no_answer(name: str) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "b"}]}]
    turn, _ = answer(stream(chunk({name: "a"}), chunk({"content": parts}), HELLO, STOP, USAGE))
    assert "".join(event.text for event in turn.events if isinstance(event, ThinkingDelta)) == "ab"
    assert turn.ended.text == "hello"


@tool(read_only=True)
def weather(city: str) -> str:
    """Ask for the weather."""
    return f"rain in {city} \ud83d"


def call(city: str, **fields: Any) -> dict[str, Any]:
    return {"function": {"name": "weather", "arguments": json.dumps({"city": city})}} | fields


def part(arguments: Any, **fields: Any) -> dict[str, Any]:
    return {"function": {"name": "weather", "arguments": arguments}, **fields}


@pytest.mark.parametrize(
    ("pieces", "cities"),
    [
        ([[call("Oslo", index=0, id="a")], [call("Rome", index=0, id="b")]], ["Oslo", "Rome"]),
        ([[call("Oslo", index=0, id="a"), call("Rome", index=0, id="b")]], ["Oslo", "Rome"]),
        ([[call("Oslo", id="a")], [call("Rome", id="b")]], ["Oslo", "Rome"]),
        ([[call("Oslo")], [call("Rome")]], ["Oslo", "Rome"]),
        ([[call("Oslo", index=0)], [call("Rome", index=0)]], ["Oslo", "Rome"]),
        ([[part("", index=0, id="a")], [part('{"city":', index=0, id="a")], [part('"Oslo"}', index=0, id="a")]], ["Oslo"]),
        ([[part("", index=0, id="a")], [{"index": 0, "function": {"arguments": '{"city":"Oslo"}'}}]], ["Oslo"]),
        ([[part("", id="a")], [{"function": {"arguments": '{"city":"Oslo"}'}}]], ["Oslo"]),
        ([[part({"city": "Oslo"}, index="0")]], ["Oslo"]),
        ([[call("Oslo \ud83d", index=0, id="a")]], ["Oslo �"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("finish", ["tool_calls", "stop", "function_call"])
def test_calls_are_put_together_whatever_their_pieces(
    pieces: list[list[dict[str, Any]]], cities: list[str], finish: str
) -> None:
    first = stream(*(chunk({"tool_calls": each}) for each in pieces), chunk({}, finish), USAGE)
    turn, asked = answer(first, stream(HELLO, STOP, USAGE), functions=functions_of([weather]))
    calls = [event for event in turn.events if isinstance(event, ToolCall)]
    assert ([each.input["city"] for each in calls], turn.ended.text) == (cities, "hello")
    assert len({each.id for each in calls}) == len(calls)
    results = [message["content"] for message in asked[1]["messages"] if message["role"] == "tool"]
    assert results == [f"rain in {city} �" for city in cities]
