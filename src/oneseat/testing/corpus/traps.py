"""Transcript lines that mislead a token counter, one function per case, with the true count."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any, NamedTuple

from .lines import Pen, Reply, Slot, encode, later, stamp, usage
from .truth import Tokens

_INDIA = timezone(timedelta(hours=5, minutes=30))
#: Token counts that must not enter a total.
_DECOY = Tokens(999_999, 999_999, 999_999, 999_999, 999_999)


class Left(NamedTuple):
    """The lines of one answer in a transcript. ``counted`` are its tokens, ``None`` if it is no answer or cannot be read.

    ``unreadable`` is the reason why a line of it must be reported, ``special`` means that its price is not the list price,
    ``named`` that it has ids by which it is recognised in another file.
    """

    lines: list[bytes]
    counted: Tokens | None
    dated: bool = True
    unreadable: str | None = None
    special: bool = False
    named: bool = True


Trap = Callable[[Pen, Slot, Reply], Left]
Edit = Callable[[dict[str, Any]], None]


def plain(pen: Pen, place: Slot, reply: Reply) -> Left:
    """One line per block of the answer, each with the whole usage, as the CLI writes today."""
    blocks = pen.random.choice((1, 2, 2, 3, 3))
    lines = [encode(pen.answer(place, reply)) for _ in range(blocks)]
    return Left(lines, reply.tokens)


def _placeholder_first(pen: Pen, place: Slot, reply: Reply) -> Left:
    lines = [encode(pen.answer(place, reply, tokens=reply.tokens._replace(output=1))) for _ in range(2)]
    return Left([*lines, encode(pen.answer(place, reply))], reply.tokens)


def _final_first(pen: Pen, place: Slot, reply: Reply) -> Left:
    return Left(list(reversed(_placeholder_first(pen, place, reply).lines)), reply.tokens)


def _two_requests(pen: Pen, place: Slot, reply: Reply) -> Left:
    again = reply._replace(request=pen.name("req"))
    return Left([encode(pen.answer(place, one)) for one in (reply, again)], reply.tokens)


def _side_question(pen: Pen, place: Slot, reply: Reply) -> Left:
    # A side question replays the conversation as a sidechain: the same message with an inflated count.
    replay = pen.answer(place, reply._replace(request=pen.name("req")), tokens=_DECOY)
    replay["isSidechain"] = True
    return Left([encode(pen.answer(place, reply)), encode(replay)], reply.tokens)


def _side_question_first(pen: Pen, place: Slot, reply: Reply) -> Left:
    return Left(list(reversed(_side_question(pen, place, reply).lines)), reply.tokens)


def _no_id_twice(pen: Pen, place: Slot, reply: Reply) -> Left:
    fields = pen.answer(place, reply)
    del fields["message"]["id"]
    return Left([encode(fields)] * 2, reply.tokens, named=False)


def _nulls_in_a_tools_input(pen: Pen, place: Slot, reply: Reply) -> Left:
    names = ("id", "version", "model", "cwd", "sessionId", "timestamp", "message")
    wanted = {**dict.fromkeys(names), "usage": usage(_DECOY)}
    block = {"type": "tool_use", "id": pen.name("toolu"), "name": "Write", "input": wanted}
    return Left([encode(pen.answer(place, reply, content=[block]))], reply.tokens)


def _quoted_transcript(pen: Pen, place: Slot, reply: Reply) -> Left:
    quoted = encode(pen.answer(place, reply._replace(id=pen.name("msg")), tokens=_DECOY)).decode()
    return Left([encode(pen.answer(place, reply, content=[{"type": "text", "text": quoted}]))], reply.tokens)


def _usage_of_a_tool(pen: Pen, place: Slot, reply: Reply) -> Left:
    result = json.loads(pen.prompt(place, reply.at, 60))
    result["toolUseResult"] = {"status": "completed", "totalTokens": 5_000_000, "usage": usage(_DECOY)}
    return Left([encode(result), encode(pen.answer(place, reply))], reply.tokens)


def _echo_of_a_subagent(pen: Pen, place: Slot, reply: Reply) -> Left:
    echo = pen.answer(place, reply._replace(id=pen.name("msg")), tokens=_DECOY)
    progress = {
        "type": "progress",
        "data": {"type": "agent_progress", "message": {"type": "assistant", "message": echo["message"]}},
        "timestamp": stamp(reply.at),
        "sessionId": place.session,
    }
    own = {**pen.answer(place, reply, tokens=_DECOY), "type": "progress"}
    return Left([encode(progress), encode(own), encode(pen.answer(place, reply))], reply.tokens)


def _synthetic(pen: Pen, place: Slot, reply: Reply) -> Left:
    fields = pen.answer(place, reply._replace(model="<synthetic>"), tokens=Tokens())
    fields["isApiErrorMessage"] = True
    return Left([encode(fields)], None)


def _bytes(before: bytes, after: bytes) -> Trap:
    """A trap that replaces bytes in an otherwise valid line."""

    def trap(pen: Pen, place: Slot, reply: Reply) -> Left:
        line = encode(pen.answer(place, reply, content=[{"type": "text", "text": "marked"}]))
        return Left([line.replace(before, after, 1)], reply.tokens)

    return trap


def _spaced(pen: Pen, place: Slot, reply: Reply) -> Left:
    return Left([json.dumps(pen.answer(place, reply)).encode() + b"\n"], reply.tokens)


def _carriage_returns(pen: Pen, place: Slot, reply: Reply) -> Left:
    return Left(
        [line.replace(b"\n", b"\r\n") for line in (encode(pen.answer(place, reply)), b"\n")], reply.tokens
    )


def _glued(pen: Pen, place: Slot, reply: Reply) -> Left:
    first, second = encode(pen.answer(place, reply)), pen.prompt(place, reply.at, 40)
    return Left([first.rstrip(b"\n") + second], reply.tokens)


def _aliens(pen: Pen, place: Slot, reply: Reply) -> Left:
    lines = [
        b"[]\n",
        b"null\n",
        b'"usage"\n',
        b"17\n",
        b"not json at all\n",
        b"\n",
        b'{"usage":{"input_tokens":5}}\n',
    ]
    lines += [b'{"message":{"usage":null}}\n', b'["usage",{"message":{"usage":{"input_tokens":7}}}]\n']
    return Left([*lines, encode(pen.answer(place, reply))], reply.tokens)


def _torn(pen: Pen, place: Slot, reply: Reply) -> Left:
    line = encode(pen.answer(place, reply))
    return Left([line[: line.index(b'"output_tokens"') + 16] + b"\n"], None, unreadable="not_json")


def _tokens_as(value: Any) -> Trap:
    """A trap in which a token count is not a valid number."""

    def trap(pen: Pen, place: Slot, reply: Reply) -> Left:
        wrong = {**usage(reply.tokens), "output_tokens": value}
        return Left([encode(pen.answer(place, reply, usage=wrong))], None, unreadable="wrong_shape")

    return trap


def _usage_with(
    change: Callable[[Tokens], dict[str, Any]], count: Callable[[Tokens], Tokens], *, special: bool = False
) -> Trap:
    """A trap in which the usage has other fields; ``count`` gives the tokens that it then stands for."""

    def trap(pen: Pen, place: Slot, reply: Reply) -> Left:
        fields = {**usage(reply.tokens), **change(reply.tokens)}
        fields = {name: value for name, value in fields.items() if value is not _GONE}
        return Left([encode(pen.answer(place, reply, usage=fields))], count(reply.tokens), special=special)

    return trap


_GONE: Any = object()


def _same(tokens: Tokens) -> Tokens:
    return tokens


def _all_5m(tokens: Tokens) -> Tokens:
    return tokens._replace(cache_write_5m=tokens.cache_write_5m + tokens.cache_write_1h, cache_write_1h=0)


def _edited(edit: Edit, *, dated: bool = True) -> Trap:
    """A trap that edits the fields of the line outside the message."""

    def trap(pen: Pen, place: Slot, reply: Reply) -> Left:
        fields = pen.answer(place, reply)
        edit(fields)
        return Left([encode(fields)], reply.tokens, dated)

    return trap


def _dated(write: Callable[[Reply], Any], *, dated: bool = True) -> Trap:
    """A trap in which the date is written in another format."""

    def trap(pen: Pen, place: Slot, reply: Reply) -> Left:
        fields = {**pen.answer(place, reply), "timestamp": write(reply)}
        return Left([encode(fields)], reply.tokens, dated)

    return trap


_ZERO_SPLIT = {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0}

#: Every trap by name. None depends on another.
TRAPS: dict[str, Trap] = {
    "placeholder first": _placeholder_first,
    "final count first": _final_first,
    "two requests": _two_requests,
    "side question": _side_question,
    "side question first": _side_question_first,
    "no id, twice": _no_id_twice,
    "no request": _edited(lambda line: line.pop("requestId")),
    "request null": _edited(lambda line: line.update(requestId=None)),
    "request empty": _edited(lambda line: line.update(requestId="")),
    "request a number": _edited(lambda line: line.update(requestId=7)),
    "version odd": _edited(lambda line: line.update(version="next")),
    "no version": _edited(lambda line: line.pop("version")),
    "no type": _edited(lambda line: line.pop("type")),
    "sidechain null": _edited(lambda line: line.update(isSidechain=None)),
    "nulls in a tool's input": _nulls_in_a_tools_input,
    "quoted transcript": _quoted_transcript,
    "usage of a tool": _usage_of_a_tool,
    "echo of a subagent": _echo_of_a_subagent,
    "synthetic": _synthetic,
    "half a character": _bytes(b"marked", b"half \\ud83d of one"),
    "not utf-8": _bytes(b"marked", b"caf\xe9 \xff"),
    "byte order mark": _bytes(b'{"parentUuid"', b'\xef\xbb\xbf{"parentUuid"'),
    "hole of a crash": _bytes(b'{"parentUuid"', b'\0\0\0\0{"parentUuid"'),
    "spaced": _spaced,
    "carriage returns": _carriage_returns,
    "glued": _glued,
    "aliens": _aliens,
    "torn": _torn,
    "tokens as text": _tokens_as("12"),
    "negative tokens": _tokens_as(-5),
    "half a token": _tokens_as(1.5),
    "endless tokens": _tokens_as(2**70),
    "tokens as truth": _tokens_as(value=True),
    "cache null": _usage_with(
        lambda _: {"cache_read_input_tokens": None}, lambda t: t._replace(cache_read=0)
    ),
    "cache missing": _usage_with(
        lambda _: {
            "cache_read_input_tokens": _GONE,
            "cache_creation_input_tokens": _GONE,
            "cache_creation": _GONE,
        },
        lambda t: Tokens(t.input, t.output),
    ),
    "split missing": _usage_with(lambda _: {"cache_creation": _GONE}, _all_5m),
    "split null": _usage_with(lambda _: {"cache_creation": None}, _all_5m),
    "split zero": _usage_with(lambda _: {"cache_creation": _ZERO_SPLIT}, _all_5m),
    "speed null": _usage_with(lambda _: {"speed": None}, _same),
    "speed new": _usage_with(lambda _: {"speed": "turbo"}, _same, special=True),
    "speed fast": _usage_with(lambda _: {"speed": "fast"}, _same, special=True),
    "region": _usage_with(lambda _: {"inference_geo": "us"}, _same, special=True),
    "batch": _usage_with(lambda _: {"service_tier": "batch"}, _same, special=True),
    "date missing": _edited(lambda line: line.pop("timestamp"), dated=False),
    "date null": _dated(lambda _: None, dated=False),
    "date a word": _dated(lambda _: "yesterday", dated=False),
    "date impossible": _dated(lambda _: "2026-02-31T10:00:00.000Z", dated=False),
    "date a number": _dated(lambda reply: reply.at.timestamp(), dated=False),
    "date of the year 1": _dated(lambda _: "0001-01-01T00:00:00.000Z", dated=False),
    "date with offset": _dated(lambda reply: reply.at.astimezone(_INDIA).isoformat(timespec="milliseconds")),
    "date without zone": _dated(
        lambda reply: reply.at.replace(tzinfo=None).isoformat(timespec="milliseconds")
    ),
    "date to the microsecond": _dated(lambda reply: stamp(reply.at).replace("Z", "000Z")),
}

#: Names of models; `claude-nova-9` has no list price.
MODELS = (
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-haiku-4-5",
    "claude-nova-9",
    "claude-sonnet-4-5-20250929",
)


def seconds_to_next(pen: Pen) -> float:
    """The seconds until the next answer of a session: mostly a short time, sometimes a day."""
    return pen.random.choice((0.4, 3.0, 20.0, 90.0, 600.0, 5 * 3600.0)) * (0.5 + pen.random.random())


def near_midnight(pen: Pen, reply: Reply) -> Reply:
    """The same answer, moved to within a few milliseconds of midnight in some time zone."""
    hour = pen.random.choice((0, 5, 8, 10, 18))
    minutes = pen.random.choice((0, 30, 45))
    edge = reply.at.replace(hour=hour, minute=minutes, second=0, microsecond=0)
    return reply._replace(at=later(edge, pen.random.choice((-0.001, 0.0, 0.001))))
