"""No line breaks a reader, and the fast one finds what the slow one finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.stores.transcripts.doubles import UNDATED, doubles
from oneseat.stores.transcripts.fast_reader import FastReader
from oneseat.stores.transcripts.folders import Origin
from oneseat.stores.transcripts.lenient_reader import LenientReader, moment
from oneseat.stores.transcripts.schema import SIGHTING
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode
from oneseat.testing.corpus.making import CorpusPlan
from oneseat.testing.corpus.traps import TRAPS, Trap

ORIGIN = Origin("-home-me", "the-session")
LINE: dict[str, Any] = {
    "isSidechain": False,
    "message": {
        "id": "msg_1",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "hi"}],
        "usage": {
            "input_tokens": 1,
            "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 100,
            "output_tokens": 1000,
            "cache_creation": {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 6},
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 2},
            "iterations": [
                {"type": "message", "input_tokens": 1, "output_tokens": 1000},
                {
                    "type": "advisor_message",
                    "model": "claude-opus-5-5",
                    "input_tokens": 7,
                    "output_tokens": 9,
                },
            ],
            "speed": "standard",
        },
    },
    "type": "assistant",
    "uuid": "u-1",
    "timestamp": "2026-11-20T15:35:09.763Z",
    "cwd": "/home/me/src",
    "sessionId": "s-1",
    "requestId": "req_1",
}
#: The places of a sighting's fields.
TOKENS, BEFORE, MAIN = slice(SIGHTING.index("output"), SIGHTING.index("before")), SIGHTING.index("before"), 4


def read_by(reader: LenientReader, data: bytes) -> tuple[dict[Any, Any], dict[str, int]]:
    reader.read(bytearray(data), 0, len(data), ORIGIN)
    return reader.found, reader.problems


def paths(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The way to every field of a line, but for those in lists."""
    if not isinstance(value, dict):
        return []
    return [way for name, inner in value.items() for way in ((*at, name), *paths(inner, (*at, name)))]


odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2**70),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(
        ["fast", "batch", "us", "<synthetic>", "2026-11-20T15:35:09Z", "2026-02-31T00:00:00.000Z", "user"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["usage", "output_tokens", "id"]), st.integers(0, 9), max_size=2),
)


@st.composite
def changed_lines(draw: st.DrawFn) -> bytes:
    """A right line with some fields replaced, taken away, or written twice."""
    line = json.loads(json.dumps(LINE))
    for way in draw(st.lists(st.sampled_from(paths(LINE)), max_size=3)):
        folder = line
        for name in way[:-1]:
            folder = folder.get(name) if isinstance(folder, dict) else None
        if isinstance(folder, dict):
            if draw(st.booleans()):
                folder[way[-1]] = draw(odd_values)
            else:
                folder.pop(way[-1], None)
    return json.dumps(line, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@given(st.lists(changed_lines(), max_size=4), st.sampled_from([b"\n", b"\r\n", b"\n\n", b" ", b""]))
def test_both_readers_find_the_same(lines: list[bytes], between: bytes) -> None:
    data = between.join(lines)
    assert read_by(FastReader(), data) == read_by(LenientReader(), data)


@st.composite
def written_lines(draw: st.DrawFn) -> bytes:
    """A line in the order in which the official CLI writes its fields, those of an assistant in either."""
    head = {"parentUuid": draw(st.sampled_from([None, "p-1"])), "isSidechain": draw(st.booleans())}
    text = draw(st.sampled_from(["", '{"output_tokens":7}', "x" * 3000]))
    tail = {"uuid": draw(st.sampled_from("ab")), "timestamp": LINE["timestamp"], "sessionId": "s-1"}
    kind = draw(st.sampled_from(["user", "assistant", "older assistant", "progress", "attachment"]))
    usage = {"input_tokens": 2, "output_tokens": draw(st.sampled_from([None, 1, 9]))}
    if draw(st.booleans()):
        del usage["output_tokens"]
    answer = {"id": draw(st.sampled_from(["msg_1", "msg_2"])), "content": [text], "usage": usage}
    question = {"role": "user", "content": [{"type": "tool_result", "content": text}]}
    middles: dict[str, dict[str, Any]] = {
        "user": {"agentId": "a", "type": "user", "message": question},
        "assistant": {"message": answer, "requestId": "req_1", "type": "assistant"},
        "older assistant": {"type": "assistant", "message": answer},
        "progress": {"data": {"type": "user", "message": question}, "message": answer, "type": "assistant"},
        "attachment": {"attachment": {"names": [text], "message": answer}, "type": "attachment"},
    }
    return encode({**head, **middles[kind], **tail})


@given(st.lists(st.tuples(written_lines(), st.floats(0, 1)), max_size=5), st.integers(0, 5))
def test_both_readers_find_the_same_in_what_the_cli_writes(
    lines: list[tuple[bytes, float]], crash: int
) -> None:
    # A crash leaves the beginning of a line, and the next one is written right behind it.
    texts = [
        text[: int(len(text) * share)] if at == crash else text for at, (text, share) in enumerate(lines)
    ]
    data = b"".join(texts)
    assert read_by(FastReader(), data) == read_by(LenientReader(), data)


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(json.dumps(LINE).encode())), max_size=6), st.data())
def test_no_bytes_can_break_a_reader(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"".join(pieces)
    cut = data.draw(st.integers(0, len(text)))
    for part in (text, text[:cut], text[cut:]):
        assert read_by(FastReader(), part) == read_by(LenientReader(), part)


@given(st.text(max_size=30))
def test_no_text_can_break_a_date(text: str) -> None:
    assert moment(text) == UNDATED or 0 < moment(text) < UNDATED


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_both_readers_fall_for_no_trap(trap: Trap) -> None:
    pen = Pen(3)
    reply = Reply(pen.name("msg"), CorpusPlan().last, "claude-sonnet-5-5", pen.tokens(), pen.name("req"))
    left = trap(pen, Slot("s-1", "/home/me"), reply)
    for order in (left.lines, left.lines[::-1]):
        found, problems = read_by(FastReader(), b"".join(order))
        assert (found, problems) == read_by(LenientReader(), b"".join(order))
        rows = {(*seen, 0) for seen in found.values()}
        counted = rows - (doubles(rows) if rows else set())
        assert [sum(row[TOKENS]) for row in counted] == ([sum(left.counted)] if left.counted else [])
        assert problems == ({left.unreadable: 1} if left.unreadable else {})


def test_a_line_that_does_not_count_what_was_written_repeats_none_that_does() -> None:
    usage = {"input_tokens": 2, "output_tokens": None}
    line = {
        "message": {"id": "msg_1", "content": [""], "usage": usage},
        "requestId": "req_1",
        "type": "assistant",
        "uuid": "b",
        "timestamp": LINE["timestamp"],
        "sessionId": "s-1",
    }
    message = {"id": "msg_1", "content": [""], "usage": {"input_tokens": 2}}
    data = encode(line) + encode({**line, "message": message, "uuid": "a"})
    assert read_by(FastReader(), data) == read_by(LenientReader(), data)


def test_the_earliest_of_equal_sightings_stays() -> None:
    later = {**LINE, "timestamp": "2026-11-20T15:35:10.000Z"}
    for order in ([LINE, later], [later, LINE]):
        found, _ = read_by(FastReader(), b"".join(map(encode, order)))
        assert {-seen[BEFORE] for seen in found.values()} == {moment("2026-11-20T15:35:09.763Z")}


def test_a_structure_that_is_nested_without_end_is_counted() -> None:
    deep = encode(LINE).replace(b'"hi"', b"[" * 100_000 + b"]" * 100_000)
    for reader in (LenientReader(), FastReader()):
        assert read_by(reader, deep) == ({}, {"not_json": 1})


def test_what_can_be_read_on_a_broken_line_counts_and_the_rest_is_counted() -> None:
    whole = (
        b'{"message":{"id":"m","model":"x","usage":{"output_tokens":5,"input_tokens":null}},'
        b'"timestamp":"2026-11-20T15:35:09.763+01:00"} {"message":NaN}'
    )
    broken = (b'{"output_tokens":', b'{"output_tokens"', b'["output_tokens" 1]')
    data = b"".join(whole + end + b"\n" for end in broken)
    for reader in (LenientReader(), FastReader()):
        found, problems = read_by(reader, data)
        assert problems == {"not_json": 3}
        assert {seen[0]: seen[MAIN : BEFORE + 1] for seen in found.values()} == {
            "m": (1, 5, 0, 0, 0, 0, -1_795_185_309_763)
        }
