"""Reads many lines quickly: a typed decoder for what the official CLI writes. Lines that it refuses go to the lenient reader."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from .doubles import UNDATED, slot_of
from .folders import Origin
from .lenient_reader import (
    FURTHER,
    MARK,
    MOST_TOKENS,
    SEARCHES,
    SYNTHETIC,
    LenientReader,
    has_other_uses,
    hash_of,
    is_ordinary,
    moment,
    nameless,
    split_write,
)

_MINUTES = {f"{minute:02}:": minute * 60_000 for minute in range(60)}
_SECONDS = {f"{second:02}.": second * 1000 for second in range(60)}
_MILLISECONDS = {f"{ms:03}Z": ms for ms in range(1000)}
_STAMP = len("2026-11-20T15:35:09.763Z")
_MANY_HOURS = 50_000

#: How the official CLI begins a line with a message, and one of a user: most bytes are in the latter, and no answer.
_MESSAGE, _USERS, _HEAD = b'"message":{', b'"type":"user",', 512
_QUOTE = ord('"')
#: How far from the end of a line an answer's count may be that a crash appended to another message's line.
_TAIL = 2048

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)] | None


class _Split(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: _Count = None
    ephemeral_1h_input_tokens: _Count = None


class _Counts(msgspec.Struct, gc=False):
    input_tokens: _Count = None
    output_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cache_creation: _Split | None = None

    def sent(self) -> tuple[int, int, int, int]:
        """Input, cache read, cache write 5m and 1h."""
        written, split, five, hour = self.cache_creation_input_tokens or 0, self.cache_creation, 0, 0
        if split is not None:
            five, hour = split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0
        if five + hour != written:
            five, hour = split_write(written, five, hour)
        return self.input_tokens or 0, self.cache_read_input_tokens or 0, five, hour


class _Iteration(_Counts, gc=False):
    type: str | None = None
    model: str | None = None


class _Usage(_Counts, gc=False):
    server_tool_use: dict[str, _Count] | None = None
    iterations: list[_Iteration] | None = None
    speed: str | None = None
    service_tier: str | None = None
    inference_geo: str | None = None


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None


class _Fork(msgspec.Struct, gc=False):
    sessionId: str | None = None  # noqa: N815 - the CLI's own name


class _Line(msgspec.Struct, gc=False, rename="camel"):
    type: str | None = None
    message: _Message | None = None
    timestamp: str | None = None
    session_id: str | None = None
    request_session_id: str | None = None
    forked_from: _Fork | None = None
    request_id: str | None = None
    uuid: str | None = None
    cwd: str | None = None
    is_sidechain: bool | None = None


_decode = msgspec.json.Decoder(_Line).decode
_NOTHING = _Line()
_USUAL = ("standard", "standard", "")


class FastReader(LenientReader):
    """Finds what ``LenientReader`` finds."""

    def __init__(self) -> None:
        super().__init__()
        self._hours: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._last: Any = ()

    def read(self, data: bytearray, start: int, end: int, origin: Origin) -> None:
        """Read the whole lines of ``data`` from ``start`` to ``end``."""
        view, last, begin = memoryview(data), _NOTHING, start
        find, ends_with, decode = data.find, data.endswith, _decode
        while begin < end:
            at, stop = begin, find(b"\n", begin, end)
            if stop < 0:
                stop = end
            begin = stop + 1
            # A line is searched as a whole only when its beginning does not tell what it is.
            body = find(_MESSAGE, at, at + _HEAD)
            if not at < body < stop:
                if find(MARK, at, stop) < 0:
                    continue
            elif (
                data[body - 2] == _QUOTE
                and ends_with(_USERS, at, body)
                and find(b"{", at + 1, body) < 0
                and find(MARK, max(body, stop - _TAIL), stop) < 0
            ):
                continue
            try:
                line = decode(view[at:stop])
            except (msgspec.DecodeError, RecursionError):
                if find(MARK, at, stop) >= 0:
                    self.read_line(bytes(view[at:stop]), origin)
                continue
            message = line.message
            # The CLI writes one line for each block of an answer, all with the same usage: one is enough.
            if message is None or (message == last.message and self._repeats(line, last)):
                continue
            if self._take(line, message, view[at:stop], origin):
                last = line
        view.release()

    def _repeats(self, line: _Line, last: _Line) -> bool:
        """Whether ``line`` need not be taken, as ``last`` is of the same message and was. Of one moment, the id may be kept."""
        if not _adds_nothing(line, last):
            return False
        usage = None if last.message is None else last.message.usage
        if usage is not None and usage.output_tokens is None:
            return False  # one of them may not count what was written, and is no answer then
        if line.uuid != last.uuid and line.timestamp == last.timestamp:
            if last.message is None or last.message.usage is None or last.message.usage.iterations:
                return False
            self.keep((*self._last[:13], hash_of(line.uuid), *self._last[14:]))
        return True

    def _take(self, line: _Line, message: _Message, raw: memoryview, origin: Origin) -> bool:
        """Keep a line's answer; false when it has none."""
        usage = message.usage
        if usage is None or line.type not in (None, "assistant") or message.model == SYNTHETIC:
            return False
        output = usage.output_tokens
        if output is None:
            if MARK not in bytes(raw):
                return False
            if usage.input_tokens is None:
                self.problem("wrong_shape")
                return False
        sent, uses, forked = usage.sent(), usage.server_tool_use, line.forked_from
        session = (
            line.request_session_id
            or (forked.sessionId if forked is not None else None)
            or line.session_id
            or origin.session
        )
        same, terms = self._names.setdefault, (usage.speed, usage.service_tier, usage.inference_geo)
        special, searches = 0 if terms == _USUAL or is_ordinary(*terms) else 1, 0
        if uses is not None:
            searches, special = uses.get(SEARCHES) or 0, special or has_other_uses(uses)
        at, model = self._moment(line.timestamp), same(message.model or "", message.model or "")
        key = (
            message.id or line.uuid or nameless(bytes(raw)),
            # Thousands of answers name the same session: share one string.
            same(session, session),
            slot_of(line.request_id, at, sum(sent)),
        )
        main, line_, project = 0 if line.is_sidechain else 1, hash_of(line.uuid), origin.project(line.cwd)
        self._last = (*key, 0, main, output or 0, *sent, -at, special, searches, line_, project, model)
        self.keep(self._last)
        if usage.iterations:
            return self._keep_further(
                usage.iterations, (*key, main), (-at, special, 0, line_, project), model
            )
        return True

    def _keep_further(
        self, iterations: list[_Iteration], key: tuple[Any, ...], end: tuple[Any, ...], model: str
    ) -> bool:
        """Keep the model requests within an answer that its own counts leave out; false when one cannot be read."""
        *name, main = key
        further = [each for each in iterations if each.type in FURTHER]
        known = [each for each in further if (each.output_tokens, each.input_tokens) != (None, None)]
        for _ in range(len(further) - len(known)):
            self.problem("wrong_shape")
        for part, each in enumerate(known, 1):
            self.keep((*name, part, main, each.output_tokens or 0, *each.sent(), *end, each.model or model))
        return known == further

    def _moment(self, stamp: str | None) -> int:
        """The time of a timestamp. In the CLI's own format, each hour is parsed only once."""
        if stamp is None:
            return UNDATED
        try:
            since = _MINUTES[stamp[14:17]] + _SECONDS[stamp[17:20]] + _MILLISECONDS[stamp[20:]]
        except KeyError:
            return moment(stamp)
        hour = self._hours.get(stamp[:14])
        if hour is None:
            hour = moment(f"{stamp[:14]}00:00.000Z")
            if hour == UNDATED:
                return UNDATED
            if len(self._hours) > _MANY_HOURS:
                self._hours.clear()
            self._hours[stamp[:14]] = hour
        return hour + since


def _adds_nothing(line: _Line, last: _Line) -> bool:
    """Whether ``line`` adds nothing to ``last``, which is of the same message."""
    now, before = line.timestamp, last.timestamp
    return (
        now is not None
        and before is not None
        and now >= before
        and len(now) == len(before) == _STAMP
        and line.session_id == last.session_id
        and line.is_sidechain == last.is_sidechain
        and line.type == last.type
        and line.request_session_id == last.request_session_id
        and line.request_id == last.request_id
        and line.forked_from == last.forked_from
        and line.cwd == last.cwd
        and last.message is not None
        and last.message.id is not None
    )
