"""Days of a time zone, for SQL: which moments belong to which day, also where clocks are changed."""

from __future__ import annotations

from .sightings import UNDATED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    #: The seconds that a zone is ahead of UTC at a moment, given in seconds since 1970.
    OffsetAt: TypeAlias = Callable[[int], int]

DAY_MS = 86_400_000
_STEP_S = 7 * 86_400


def day_of(moment_ms: str, offset_at: OffsetAt, first_ms: int, last_ms: int) -> str:
    """The SQL for the day, counted from 1970, of the SQL ``moment_ms``; null for ``UNDATED``. Holds from first to last."""
    changes = _changes(offset_at, first_ms // 1000, last_ms // 1000)
    whens = "".join(
        f" WHEN {moment_ms} < {until * 1000} THEN {offset * 1000}" for until, offset in changes[:-1]
    )
    ahead = f"CASE{whens} ELSE {changes[-1][1] * 1000} END" if whens else str(changes[-1][1] * 1000)
    return f"CASE WHEN {moment_ms} = {UNDATED} THEN NULL ELSE ({moment_ms} + {ahead}) / {DAY_MS} END"


def _changes(offset_at: OffsetAt, first: int, last: int) -> list[tuple[int, int]]:
    """The offsets that hold one after the other, each with the second at which it ends."""
    found: list[tuple[int, int]] = []
    begin = first
    offset = offset_at(begin)
    while begin <= last:
        end = begin + _STEP_S
        if offset_at(end) != offset:
            low, high = begin, end
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == offset else (low, middle)
            found.append((high, offset))
            end, offset = high, offset_at(high)
        begin = end
    return [*found, (last + 1, offset)]
