"""What a key's request used, in every way in which servers say it, say it wrong, or say nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.contract.events import UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.providers.api.account import ApiAccount
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.api.provider import ApiProvider

from .asking import KEY, Turn, ask

Pieces = list[dict[str, Any]]
UNKNOWN = TokenUsage()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pieces: tuple[dict[str, Any], ...] = ()
    named = False


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for piece in self.server.pieces:
            name = f"event: {piece['type']}\n" if self.server.named else ""
            self.wfile.write(f"{name}data: {json.dumps(piece)}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture(scope="module")
def server() -> Iterator[_Server]:
    """A server that streams the pieces it is given."""
    with _Server(("127.0.0.1", 0), _Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@contextmanager
def _saying(server: _Server, pieces: Pieces, *, named: bool) -> Iterator[str]:
    server.pieces, server.named = tuple(pieces), named
    yield f"http://127.0.0.1:{server.server_address[1]}"


def turn(server: _Server, api: str, *usages: Any, text: str = "hello") -> Turn:
    """What comes of an answer whose server reports these usages, one after the other."""
    pieces = PIECES[api](text, usages)
    with _saying(server, pieces, named=api in {"anthropic", "openai"}) as url:
        account = ApiAccount(key="work", place="here", base_url=url, default_model="made-up-1")
        return ask(ApiProvider(APIS[api], account, lambda: KEY, str))


def used(server: _Server, api: str, *usages: Any, text: str = "hello") -> TokenUsage:
    """What one answer is said to have used: in its last count and at its end."""
    came = turn(server, api, *usages, text=text)
    assert came.code is None
    assert came.ended.text == text
    counts = [event.usage for event in came.events if isinstance(event, UsageSeen) and event.stop_reason]
    assert counts == [came.ended.usage]
    return counts[0]


def _messages(text: str, usages: tuple[Any, ...]) -> Pieces:
    first, *later = usages
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "made-up-1", "content": []}
    block = {"type": "text", "text": ""}
    return [
        {"type": "message_start", "message": message | _with("usage", first)},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        *(
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}} | _with("usage", usage)
            for usage in later or [None]
        ),
        {"type": "message_stop"},
    ]


def _chat(text: str, usages: tuple[Any, ...]) -> Pieces:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "made-up-1", "created": 1}
    said = {"index": 0, "delta": {"role": "assistant", "content": text}}
    return [
        chunk | {"choices": [said]},
        chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        *(chunk | {"choices": []} | _with("usage", usage) for usage in usages),
    ]


def _responses(text: str, usages: tuple[Any, ...]) -> Pieces:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "i1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    made = {"id": "r1", "object": "response", "model": "made-up-1", "output": [], "status": "in_progress"}
    done = made | {"status": "completed", "output": [item]} | _with("usage", usages[-1])
    delta = {"item_id": "i1", "output_index": 0, "content_index": 0, "delta": text}
    return [
        {"type": "response.created", "response": made},
        {"type": "response.output_text.delta", **delta},
        {"type": "response.completed", "response": done},
    ]


def _gemini(text: str, usages: tuple[Any, ...]) -> Pieces:
    said = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    whole = {"responseId": "g1", "modelVersion": "made-up-1"}
    return [
        whole | {"candidates": [said]},
        whole | {"candidates": [{"index": 0, "finishReason": "STOP"}]},
        *(whole | _with("usageMetadata", usage) for usage in usages),
    ]


def _with(name: str, usage: Any) -> dict[str, Any]:
    return {} if usage is None else {name: usage}


PIECES: dict[str, Any] = {
    "anthropic": _messages,
    "openai-compatible": _chat,
    "openai": _responses,
    "gemini": _gemini,
}
#: How each vendor names what was read and what was written.
NAMES = {
    "anthropic": ("input_tokens", "output_tokens"),
    "openai-compatible": ("prompt_tokens", "completion_tokens"),
    "openai": ("input_tokens", "output_tokens"),
    "gemini": ("promptTokenCount", "candidatesTokenCount"),
}
every_api = pytest.mark.parametrize("api", PIECES)


def told(api: str, read: object, written: object) -> dict[str, object]:
    """A usage object of a vendor."""
    return dict(zip(NAMES[api], (read, written), strict=True))


@every_api
def test_what_the_server_says_is_used(server: _Server, api: str) -> None:
    usage = used(server, api, told(api, 100, 9), told(api, 100, 9))
    assert (usage.input_tokens, usage.output_tokens) == (100, 9)


@every_api
@pytest.mark.parametrize("usages", [(None, None), ({}, {})])
def test_a_usage_that_is_absent_is_unknown(server: _Server, api: str, usages: tuple[Any, ...]) -> None:
    usage = used(server, api, *usages)
    assert (usage.input_tokens, usage.output_tokens) == (None, None)


@every_api
def test_zeros_beside_an_answer_are_unknown(server: _Server, api: str) -> None:
    usage = used(server, api, told(api, 0, 0), told(api, 0, 0))
    assert (usage.input_tokens, usage.output_tokens) == (None, None)


@every_api
@pytest.mark.parametrize("wrong", [-1, -1_000_000, 10**12, 2**53])
def test_a_count_that_cannot_be_true_makes_the_whole_usage_unknown(
    server: _Server, api: str, wrong: int
) -> None:
    assert used(server, api, told(api, wrong, 9), told(api, wrong, 9)) == UNKNOWN
    assert used(server, api, told(api, 9, wrong), told(api, 9, wrong)) == UNKNOWN


@pytest.mark.parametrize("api", ["anthropic", "openai-compatible", "gemini"])
def test_zeros_that_come_later_take_nothing_away(server: _Server, api: str) -> None:
    first, later = told(api, 120_000, 50), told(api, 0, 50 if api == "anthropic" else 0)
    usage = used(server, api, first, later)
    assert (usage.input_tokens, usage.output_tokens) == (120_000, 50)


@pytest.mark.parametrize("api", ["anthropic", "openai-compatible", "gemini"])
@pytest.mark.parametrize("later", [(10, 0), (0, 3), (None, 0), (10, None)])
def test_a_single_zero_that_comes_later_takes_nothing_away(
    server: _Server, api: str, later: tuple[int | None, int | None]
) -> None:
    first = told(api, 10, 3)
    # What a message is expected to write at its start is no count: the first report of it is at its end.
    usage = used(server, api, *([first] * (2 if api == "anthropic" else 1)), told(api, *later))
    assert (usage.input_tokens, usage.output_tokens) == (10, 3)


def test_a_later_total_without_an_answer_takes_nothing_away(server: _Server) -> None:
    first = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
    later = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}
    usage = used(server, "openai-compatible", first, later)
    assert (usage.input_tokens, usage.output_tokens) == (10, 3)


def test_a_later_report_of_the_cache_counts_no_token_twice(server: _Server) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 4}}
    first = {"prompt_tokens": 10, "completion_tokens": 1}
    usage = used(server, "openai-compatible", first, first | {"completion_tokens": 3} | details)
    assert usage == TokenUsage(6, 3, 4, 0, 0)
    usage = used(server, "openai-compatible", first | details, first | {"completion_tokens": 3})
    assert usage == TokenUsage(10, 3, 0, 0, 0)


@pytest.mark.parametrize(
    ("api", "usage"),
    [
        (
            "openai-compatible",
            {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1000}},
        ),
        ("openai-compatible", {"prompt_tokens": 10, "completion_tokens": 3, "prompt_cache_hit_tokens": 11}),
        (
            "openai",
            {"input_tokens": 10, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 1000}},
        ),
        ("gemini", {"promptTokenCount": 10, "candidatesTokenCount": 3, "cachedContentTokenCount": 1000}),
    ],
)
def test_more_cached_than_sent_cannot_be_true(server: _Server, api: str, usage: dict[str, Any]) -> None:
    assert used(server, api, usage) == UNKNOWN


def test_several_ends_of_a_message_are_one_count(server: _Server) -> None:
    usage = used(server, "anthropic", told("anthropic", 10, 1), {"output_tokens": 3}, {"output_tokens": 5})
    assert (usage.input_tokens, usage.output_tokens) == (10, 5)


def test_what_a_message_was_expected_to_write_is_not_what_it_wrote(server: _Server) -> None:
    assert used(server, "anthropic", told("anthropic", 10, 1)).output_tokens is None


@pytest.mark.parametrize(
    ("usage", "read", "cached", "written"),
    [
        # xAI: the total says that reasoning is counted beside the answer.
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "prompt_tokens_details": {"cached_tokens": 6},
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            *(26, 6, 103),
        ),
        # OpenAI: reasoning is in it.
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 103,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            *(32, 0, 103),
        ),
        # No total, but more thought than written.
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            *(32, 0, 103),
        ),
        # Google's compatible address: thoughts are in the total only.
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 65}, 10, 0, 55),
        ({"input_tokens": 10, "output_tokens": 5}, 10, 0, 5),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4, "total_tokens": 15},
            *(6, 4, 5),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4}, 6, 4, 5),
        ({"prompt_tokens": 10.0, "completion_tokens": 5.0}, 10, 0, 5),
    ],
)
def test_compatible_servers_count_in_ways_of_their_own(
    server: _Server, usage: dict[str, Any], read: int, cached: int, written: int
) -> None:
    found = used(server, "openai-compatible", usage)
    assert (found.input_tokens, found.cache_read_tokens, found.output_tokens) == (read, cached, written)


@pytest.mark.parametrize(
    "place", [{"x_groq": {"usage": "?"}}, {"choices": [{"index": 0, "delta": {}, "usage": "?"}]}]
)
def test_compatible_servers_report_in_places_of_their_own(server: _Server, place: dict[str, Any]) -> None:
    said = json.loads(json.dumps(place).replace('"?"', '{"prompt_tokens": 10, "completion_tokens": 5}'))
    last = {"id": "c1", "object": "chat.completion.chunk", "model": "m", "created": 1, "choices": []} | said
    pieces = [*_chat("hello", ()), last]
    with _saying(server, pieces, named=False) as url:
        account = ApiAccount(key="work", place="here", base_url=url, default_model="made-up-1")
        came = ask(ApiProvider(APIS["openai-compatible"], account, lambda: KEY, str))
    assert came.ended.usage == TokenUsage(10, 5, 0, 0, 0)


def test_reasoning_on_top_of_a_response_and_of_geminis_answer(server: _Server) -> None:
    response = {"input_tokens": 32, "output_tokens": 9, "total_tokens": 135}
    assert used(server, "openai", response).output_tokens == 103
    gemini = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7}
    assert used(server, "gemini", gemini | {"totalTokenCount": 22}).output_tokens == 12
    assert used(server, "gemini", gemini | {"totalTokenCount": 42}).output_tokens == 32


_numbers = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 1000),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
)
_fields = [
    *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
    *("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "prompt_cache_hit_tokens"),
]
_details = st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens"]), _numbers)
_usages = st.one_of(
    _numbers,
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(_fields, _numbers)
        | {
            name: st.one_of(_numbers, _details)
            for name in (
                "prompt_tokens_details",
                "completion_tokens_details",
                "input_tokens_details",
                "output_tokens_details",
                "cache_creation",
            )
        },
    ),
)


@pytest.mark.parametrize("api", ["anthropic", "openai-compatible", "openai"])
@settings(max_examples=60, deadline=None)
@given(first=_usages, later=_usages)
def test_no_usage_makes_an_answer_free_or_loses_it(
    server: _Server, api: str, first: object, later: object
) -> None:
    usage = used(server, api, first, later)
    assert usage.input_tokens is None or usage.input_tokens >= 0
    assert usage.output_tokens is None or usage.output_tokens > 0
    assert not usage.is_known or usage.is_positive
