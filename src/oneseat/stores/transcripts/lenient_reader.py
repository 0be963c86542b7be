"""Reads answers of the model from lines of a transcript. No line can break it: what cannot be read is counted by its reason.

This reader accepts whatever can be read, field by field, and loads quickly: it is used when little is new. ``fast_reader`` is
faster over many files and finds the same.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from json import JSONDecoder

from .doubles import UNDATED, slot_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    from .folders import Origin

    #: Input, cache read, cache write 5m and 1h.
    Sent: TypeAlias = tuple[int, int, int, int]

    #: One sighting of an answer, in the columns ``SIGHTING`` of the index. ``slot`` is its request (see ``doubles``); ``part``
    #: is 0, or the number of a further model request that was made for it. ``main`` is 0 on a sidechain, ``before`` is minus
    #: the time in milliseconds since 1970, ``special`` is 1 when the list price does not apply as it is: fast mode, batch, a
    #: region. ``searches`` are web searches, ``line`` is a hash of the line's id.
    #:
    #: Of two sightings with the same four first fields the greater one is kept, whichever comes first: the main conversation
    #: before a sidechain, then the largest output (the CLI first writes a placeholder), and so on; of equal ones the earliest.
    SeenMessage: TypeAlias = tuple[
        str, str, int, int, int, int, int, int, int, int, int, int, int, int, str, str
    ]

#: Every line with an answer contains it. Long, so that it is found quickly.
MARK = b'"output_tokens"'
#: The model name of messages that the CLI wrote itself.
SYNTHETIC = "<synthetic>"
#: The largest valid number of tokens, and of US dollars: sums of millions of them fit into SQLite's 64 bits.
MOST_TOKENS, MOST_USD = 10**12, 10**7
#: The entries of ``iterations`` that an answer's own counts leave out: requests of the advisor, and of summaries that the server
#: made. The others are in the counts, or not charged.
FURTHER = frozenset({"advisor_message", "compaction"})
#: The number of web searches in ``server_tool_use``, and what else is there and costs nothing.
SEARCHES, _FREE = "web_search_requests", ("web_fetch_requests", "tool_search_requests")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The years 2000 and 2100: a time outside of them is invalid.
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000
#: What may stand between two objects: a crash leaves zeros in place of a line, an editor a byte order mark at its start.
_BETWEEN = " \t\r\n\0\ufeff"
_MARK_TEXT = MARK.decode()
_first_value = JSONDecoder().raw_decode


class LenientReader:
    """Collects answers. ``found`` holds the best sighting of each by its key, ``problems`` counts unreadable lines by reason."""

    def __init__(self) -> None:
        self.found: dict[tuple[Any, ...], SeenMessage] = {}
        self.problems: dict[str, int] = {}

    def read(self, data: bytearray, start: int, end: int, origin: Origin) -> None:
        """Read the whole lines of ``data`` from ``start`` to ``end``."""
        at = data.find(MARK, start, end)
        while at >= 0:
            begin = data.rfind(b"\n", start, at) + 1 or start
            stop = data.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            self.read_line(bytes(data[begin:stop]), origin)
            at = data.find(MARK, stop, end)

    def read_unfinished(self, data: bytearray, end: int, origin: Origin) -> bool:
        """Read the last line of a file, which has no line break yet; false when it is incomplete."""
        known = dict(self.problems)
        self.read(data, 0, end, origin)
        whole = self.problems == known
        self.problems = known
        return whole

    def read_line(self, raw: bytes, origin: Origin) -> None:
        """Read every object on a line."""
        rest = raw.decode("utf-8", "replace").lstrip(_BETWEEN)
        while rest:
            try:
                value, end = _first_value(rest)
            except (ValueError, RecursionError):
                if _MARK_TEXT in rest:
                    self.problem("not_json")
                return
            if isinstance(value, dict):
                self._object(value, raw, origin)
            rest = rest[end:].lstrip(_BETWEEN)

    def problem(self, reason: str) -> None:
        """Count a line that cannot be read."""
        self.problems[reason] = self.problems.get(reason, 0) + 1

    def keep(self, seen: SeenMessage) -> None:
        """Add a sighting. Only the best one of an answer is kept."""
        key = seen[:4]
        known = self.found.get(key)
        if known is None or seen > known:
            self.found[key] = seen

    def _object(self, line: dict[str, Any], raw: bytes, origin: Origin) -> None:
        message = line.get("message")
        if not isinstance(message, dict) or message.get("usage") is None:
            return
        usage: Any = message["usage"]
        if line.get("type") not in (None, "assistant") or message.get("model") == SYNTHETIC:
            return
        try:
            output, tokens = _tokens(usage)
        except (ValueError, AttributeError):
            self.problem("wrong_shape")
            return
        terms = (_text(usage, name) for name in ("speed", "service_tier", "inference_geo"))
        at, name, uuid = moment(_text(line, "timestamp")), _text(message, "id"), _text(line, "uuid")
        name, model = name or uuid or nameless(raw), _text(message, "model") or ""
        forked = line.get("forkedFrom")
        session = (
            _text(line, "requestSessionId")
            or (_text(forked, "sessionId") if isinstance(forked, dict) else None)
            or _text(line, "sessionId")
            or origin.session
        )
        slot = slot_of(_text(line, "requestId"), at, sum(tokens))
        main, special = 0 if line.get("isSidechain") is True else 1, 0 if is_ordinary(*terms) else 1
        searches, other = self._uses(usage)
        end = (-at, special or other, searches, hash_of(uuid), origin.project(_text(line, "cwd")), model)
        self.keep((name, session, slot, 0, main, output, *tokens, *end))
        for part, (output, tokens, of) in enumerate(self._further(usage), 1):
            self.keep((name, session, slot, part, main, output, *tokens, *end[:2], 0, *end[3:5], of or model))

    def _uses(self, usage: dict[str, Any]) -> tuple[int, int]:
        """The web searches of an answer, and 1 if it used another tool that may be charged by use."""
        uses = usage.get("server_tool_use")
        if not isinstance(uses, dict):
            return 0, 0
        try:
            return _count(uses.get(SEARCHES)), has_other_uses(uses)
        except ValueError:
            self.problem("wrong_shape")
            return 0, 0

    def _further(self, usage: dict[str, Any]) -> Iterator[tuple[int, Sent, str | None]]:
        """The model requests within an answer that its own counts leave out: output, other tokens, their model if another."""
        iterations = usage.get("iterations")
        for each in iterations if isinstance(iterations, list) else ():
            kind = each.get("type") if isinstance(each, dict) else None
            if isinstance(kind, str) and kind in FURTHER:
                try:
                    yield (*_tokens(each), _text(each, "model"))
                except (ValueError, AttributeError):
                    self.problem("wrong_shape")


def _tokens(usage: dict[str, Any]) -> tuple[int, Sent]:
    """Output, and input, cache read, cache write 5m and 1h. Raises ``ValueError`` and ``AttributeError`` for other values."""
    output, sent = usage.get("output_tokens"), usage.get("input_tokens")
    if output is None and sent is None:
        raise ValueError
    split = usage.get("cache_creation")
    five, hour = split_write(
        _count(usage.get("cache_creation_input_tokens")),
        _count(split.get("ephemeral_5m_input_tokens")) if split is not None else 0,
        _count(split.get("ephemeral_1h_input_tokens")) if split is not None else 0,
    )
    return _count(output), (_count(sent), _count(usage.get("cache_read_input_tokens")), five, hour)


def split_write(written: int, five: int, hour: int) -> tuple[int, int]:
    """Tokens written to the cache for 5 minutes and for an hour. What the split does not cover counts for 5 minutes."""
    return max(five, written - hour), hour


def _count(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        raise ValueError
    return value


def _text(fields: dict[str, Any], name: str) -> str | None:
    """A field's text; ``None`` for anything else. Lone surrogates are replaced, because the database refuses them."""
    value = fields.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def nameless(raw: bytes) -> str:
    """An id for an answer without one: the same for the same line."""
    return f"{zlib.crc32(raw):08x}{zlib.adler32(raw):08x}{len(raw):x}"


def hash_of(name: str | None) -> int:
    """A number for the id of a line; 0 for none."""
    return zlib.crc32(name.encode("utf-8", "replace")) if name else 0


def has_other_uses(uses: dict[str, Any]) -> int:
    """1 if a tool of the vendor was used that is neither free nor a web search, else 0."""
    return int(any(count for name, count in uses.items() if name not in (SEARCHES, *_FREE)))


def is_ordinary(speed: str | None, tier: str | None, region: str | None) -> bool:
    """Whether the list price applies as it is."""
    return (
        speed in (None, "standard")
        and tier in (None, "standard")
        and region in (None, "", "global", "not_available")
    )


def moment(stamp: str | None) -> int:
    """Milliseconds since 1970, or ``UNDATED``. A time without a zone is UTC."""
    if stamp is None:
        return UNDATED
    try:
        read = datetime.fromisoformat(stamp)
        if read.tzinfo is None:
            read = read.replace(tzinfo=UTC)
        ms = (read - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return UNDATED
    return ms if _FIRST_MS <= ms < _LAST_MS else UNDATED
