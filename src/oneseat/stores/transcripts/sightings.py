"""Reads answers of the model out of lines of a transcript. No line can break it: what cannot be read is counted by its reason.

This reader takes whatever can be read, field by field, and needs next to no import: it serves where little is new. ``typed`` has
one that is faster over many files and means the same.
"""

from __future__ import annotations

import zlib

from .json_value import first_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import UTC, datetime, timedelta
    from typing import Any, TypeAlias

    #: One sighting of an answer: id, main, output, input, cache read, cache write 5m, cache write 1h, before, special, session,
    #: project, model. ``main`` is 0 on a sidechain, ``before`` is minus the moment in milliseconds since 1970, ``special`` is 1
    #: where the price is not the ordinary one: fast, batch, a region.
    #:
    #: Of two sightings the greater one is kept, in whatever order they come: the main conversation before a sidechain, then the
    #: largest output (the CLI first writes a placeholder), and so on; the earliest moment of equal ones.
    Sighting: TypeAlias = tuple[str, int, int, int, int, int, int, int, int, str, str, str]
else:
    # Without the half in Python, which takes longer to load and of which nothing is used.
    try:
        from _datetime import UTC, datetime, timedelta
    except ImportError:  # another Python may be made of other parts
        from datetime import UTC, datetime, timedelta

#: No line without it holds an answer. Long, to be found quickly.
MARK = b'"output_tokens"'
#: The moment of an answer whose date cannot be read: later than every real one, so that a sighting with a date wins.
UNDATED = 1 << 62
#: What the CLI names the author of its own messages.
SYNTHETIC = "<synthetic>"
#: The largest number of tokens that is taken for one.
MOST_TOKENS = 2**53
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = (
    946_684_800_000,
    4_102_444_800_000,
)  # the years 2000 and 2100: what is not between them is no date
#: What may stand between two objects: a crash leaves zeros where a line should be, an editor a byte order mark at its start.
_BETWEEN = " \t\r\n\0\ufeff"
_MARK_TEXT = MARK.decode()


class Origin:
    """What the place of a file says about its lines, for those that do not say it themselves."""

    __slots__ = ("project", "session")

    def __init__(self, project: str, session: str) -> None:
        self.project = project
        self.session = session


class Reader:
    """Collects answers. ``found`` holds the best sighting of each by its id, ``problems`` counts lines by what is wrong."""

    def __init__(self) -> None:
        self.found: dict[str, Sighting] = {}
        self.problems: dict[str, int] = {}

    def read(self, data: bytearray, start: int, end: int, origin: Origin) -> None:
        """Read the lines of ``data`` from ``start`` to ``end``, where whole lines begin and end."""
        at = data.find(MARK, start, end)
        while at >= 0:
            begin = data.rfind(b"\n", start, at) + 1 or start
            stop = data.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            self.read_loosely(bytes(data[begin:stop]), origin)
            at = data.find(MARK, stop, end)

    def read_unfinished(self, data: bytearray, end: int, origin: Origin) -> bool:
        """Read the last line of a file, which has no end yet; false when there is not all of it."""
        known = dict(self.problems)
        self.read(data, 0, end, origin)
        whole = self.problems == known
        self.problems = known
        return whole

    def read_loosely(self, raw: bytes, origin: Origin) -> None:
        """Read every object that is on a line."""
        rest = raw.decode("utf-8", "replace").lstrip(_BETWEEN)
        while rest:
            try:
                value, end = first_value(rest)
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

    def keep(self, seen: Sighting) -> None:
        """Add a sighting; the best one of an answer stays."""
        known = self.found.get(seen[0])
        if known is None or seen > known:
            self.found[seen[0]] = seen

    def _object(self, line: dict[str, Any], raw: bytes, origin: Origin) -> None:
        message = line.get("message")
        if not isinstance(message, dict) or message.get("usage") is None:
            return
        usage: Any = message["usage"]
        if line.get("type") not in (None, "assistant") or message.get("model") == SYNTHETIC:
            return
        try:
            output, sent, read, five, hour = _tokens(usage)
        except (ValueError, AttributeError):
            self.problem("wrong_shape")
            return
        terms = (_text(usage, name) for name in ("speed", "service_tier", "inference_geo"))
        self.keep(
            (
                _text(message, "id") or _text(line, "uuid") or nameless(raw),
                0 if line.get("isSidechain") is True else 1,
                output,
                sent,
                read,
                five,
                hour,
                -moment(_text(line, "timestamp")),
                0 if is_ordinary(*terms) else 1,
                _text(line, "requestSessionId") or _text(line, "sessionId") or origin.session,
                origin.project,
                _text(message, "model") or "",
            )
        )


def _tokens(usage: dict[str, Any]) -> tuple[int, int, int, int, int]:
    """Output, input, cache read, cache write 5m and 1h. Raises ``ValueError`` and ``AttributeError`` when they are not counts."""
    output, sent = usage.get("output_tokens"), usage.get("input_tokens")
    if output is None and sent is None:
        raise ValueError
    split = usage.get("cache_creation")
    five, hour = split_write(
        _count(usage.get("cache_creation_input_tokens")),
        _count(split.get("ephemeral_5m_input_tokens")) if split is not None else 0,
        _count(split.get("ephemeral_1h_input_tokens")) if split is not None else 0,
    )
    return _count(output), _count(sent), _count(usage.get("cache_read_input_tokens")), five, hour


def split_write(written: int, five: int, hour: int) -> tuple[int, int]:
    """What was written to the cache for 5 minutes and for an hour. What a split does not explain is the ordinary kind."""
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
    """A field where it is text; anything else says nothing. Half a character would be refused by the database."""
    value = fields.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def nameless(raw: bytes) -> str:
    """A name for an answer that has none: the same for the same line."""
    return f"{zlib.crc32(raw):08x}{zlib.adler32(raw):08x}{len(raw):x}"


def is_ordinary(speed: str | None, tier: str | None, region: str | None) -> bool:
    """Whether the list price holds as it is."""
    return (
        speed in (None, "standard")
        and tier in (None, "standard")
        and region in (None, "", "global", "not_available")
    )


def moment(stamp: str | None) -> int:
    """Milliseconds since 1970, or ``UNDATED``. Without a zone it is UTC."""
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
