"""Which sightings of one id are the same answer.

The vendor's ids are unique; those of a gateway may begin anew in each conversation, or be the same for every answer. So an answer
is a request: its id, its conversation and its request's id, or, where a gateway names none, its prompt's size and its time. Forks
copy an answer into another conversation, and sidechains replay it; these are found here.

Every rule is about the rows alone, so the order in which they were found changes nothing.
"""

from __future__ import annotations

import re
import zlib
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TypeAlias

    #: A row of ``answers``.
    Row: TypeAlias = tuple[Any, ...]

#: The places of a row's fields.
_ID, _SESSION, _SLOT, _PART, _MAIN, _OUTPUT, _INPUT, _BEFORE, _LINE, _DOUBLE = 0, 1, 2, 3, 4, 5, 6, 10, 13, 16
#: The time of an answer without a valid date: later than every real one, so that a sighting with a date wins.
UNDATED = 1 << 62
_MINUTE_MS = 60_000
#: The blocks of a request come within this time of each other.
_QUARTER_MS = 15 * _MINUTE_MS
#: The same where no request is named.
_NEAR_MS = 10 * _MINUTE_MS
_BITS = 32
#: Ids of the vendor: nobody else makes them by chance.
_OF_THE_VENDOR = re.compile(r"msg_(bdrk_|vrtx_)?01[0-9A-Za-z]{20,}")


def slot_of(request: str | None, at: int, prompt: int) -> int:
    """What tells an answer from others with its id in its conversation. ``at`` is in milliseconds since 1970.

    It is not negative where the request is named. ``prompt`` is the number of tokens sent.
    """
    if request:
        return _since(at, _QUARTER_MS) << _BITS | zlib.crc32(request.encode("utf-8", "replace"))
    return -1 - (_since(at, _MINUTE_MS) << _BITS | (prompt & 0xFFFF_FFFF))


def _since(at: int, unit_ms: int) -> int:
    return 0 if at == UNDATED else at // unit_ms


def doubles(rows: Iterable[Row]) -> set[Row]:
    """The rows that another one counts for; ``rows`` are all of one id."""
    found: set[Row] = set()
    parts: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (-row[_BEFORE], row)):
        parts.setdefault(row[_PART], []).append(row)
    for part in parts.values():
        for group in _Groups(part).groups():
            best = max(group, key=lambda row: (row[_MAIN:_DOUBLE], row))
            found |= {row for row in group if row is not best}
    return found


class _Groups:
    """Rows of one id, in the order of their times, grouped by the answer they are of."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._first = list(range(len(rows)))
        dated = [at for at, row in enumerate(rows) if row[_BEFORE] != -UNDATED]
        self._join_copies(dated)
        self._join_requests(dated)
        self._join_replays([at for at in dated if rows[at][_MAIN]])

    def groups(self) -> Iterable[list[Row]]:
        """The rows of each answer."""
        found: dict[int, list[Row]] = {}
        for at, row in enumerate(self._rows):
            found.setdefault(self._find(at), []).append(row)
        return found.values()

    def _join_copies(self, dated: Sequence[int]) -> None:
        """A copy in another conversation or on a sidechain keeps the time, and the id of its line or of its request."""
        moments: dict[int, list[int]] = {}
        for at in dated:
            row = self._rows[at]
            others = moments.setdefault(row[_BEFORE], [])
            for other in others:
                if _is_copy(row, self._rows[other]):
                    self._join(at, other)
            others.append(at)

    def _join_requests(self, dated: Sequence[int]) -> None:
        """Rows of one request of a conversation."""
        requests: dict[tuple[Any, ...], int] = {}
        recent: dict[tuple[Any, ...], deque[int]] = {}
        for at in dated:
            row, now = self._rows[at], -self._rows[at][_BEFORE]
            if row[_SLOT] >= 0:
                name = (row[_SESSION], row[_SLOT] & (1 << _BITS) - 1)
                before = requests.get(name)
                if before is not None and (row[_SLOT] >> _BITS) - (self._rows[before][_SLOT] >> _BITS) <= 1:
                    self._join(at, before)
                requests[name] = at
            others = recent.setdefault((row[_SESSION], row[_MAIN]), deque())
            while others and now + self._rows[others[0]][_BEFORE] > _NEAR_MS:
                others.popleft()
            for other in others:
                if _same_prompt(row, self._rows[other]):
                    self._join(at, other)
            others.append(at)

    def _join_replays(self, mains: Sequence[int]) -> None:
        """Replays of a unique id on a sidechain, whatever they say, and rows without a date."""
        unique = _OF_THE_VENDOR.fullmatch(self._rows[0][_ID]) is not None
        for at, row in enumerate(self._rows):
            undated = row[_BEFORE] == -UNDATED
            if undated or (unique and not row[_MAIN] and mains):
                self._join(
                    at, min(mains or (0,), key=lambda other: abs(row[_BEFORE] - self._rows[other][_BEFORE]))
                )

    def _find(self, at: int) -> int:
        while self._first[at] != at:
            self._first[at] = at = self._first[self._first[at]]
        return at

    def _join(self, one: int, other: int) -> None:
        self._first[self._find(one)] = self._find(other)


def _is_copy(row: Row, other: Row) -> bool:
    """Whether two rows of one moment are the same answer. An index of an earlier schema kept neither line nor request."""
    return (
        row[_LINE] == other[_LINE]
        or (row[_SLOT] == other[_SLOT] >= 0)
        or row[_MAIN] != other[_MAIN]
        or 0 in (row[_LINE], other[_LINE])
    )


def _same_prompt(row: Row, other: Row) -> bool:
    """Whether two rows of a conversation are of one prompt: a later one has more tokens. A placeholder may have none."""
    sent, others = sum(row[_INPUT:_BEFORE]), sum(other[_INPUT:_BEFORE])
    return sent == others or (not sent and row[_OUTPUT] <= 1) or (not others and other[_OUTPUT] <= 1)
