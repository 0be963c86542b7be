"""The ledger's rows of usage windows: one for each change."""

from __future__ import annotations

import math
import sqlite3
from datetime import datetime
from typing import Any

from oneseat.contract.history import SeenLimit
from oneseat.contract.receipt import LimitReading

#: The reported reset time of one window varies by up to two seconds.
_SAME_WINDOW_S = 60.0
#: Longer than any known window.
_KEPT_S = 8 * 86_400.0
#: The year 3000, in seconds since 1970.
_END_OF_TIME_S = 32_503_680_000.0
_COLUMNS = ", ".join(SeenLimit._fields)
_OF_WINDOW = "provider = ? AND simulated = ? AND window = ?"
_NEWEST = f"SELECT rowid, {_COLUMNS} FROM limits WHERE {_OF_WINDOW} ORDER BY last_at DESC, rowid DESC LIMIT 1"  # noqa: S608 - names of columns
_SINCE = (
    f"SELECT {_COLUMNS} FROM limits WHERE last_at >= ? AND provider = ? AND simulated = ? ORDER BY last_at"  # noqa: S608 - names of columns
)


def note(
    db: sqlite3.Connection, provider: str, limit: LimitReading, *, simulated: bool, overage: bool | None
) -> None:
    """Record a report of a window: in a new row when it differs from the last one. Simulated windows are kept apart."""
    read_at = _epoch(limit.read_at)
    if read_at is None:
        return
    resets_at = _epoch(limit.resets_at)
    seat = (provider, simulated)
    found = db.execute(_NEWEST, (*seat, limit.window)).fetchone()
    if found is not None:
        row, before = found[0], SeenLimit(*found[1:])
        reported = (limit.status, limit.used, limit.source, overage)
        if reported == (before.status, before.used, before.source, before.overage) and _near(
            resets_at, before.resets_at
        ):
            # A repeated old report must not move the row's time back.
            db.execute("UPDATE limits SET last_at = max(last_at, ?) WHERE rowid = ?", (read_at, row))
            return
    values = (limit.window, limit.status, limit.used, resets_at, limit.source, overage, read_at, read_at)
    db.execute(
        f"INSERT INTO limits (provider, simulated, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns
        (*seat, *values),
    )


def seen(
    db: sqlite3.Connection, provider: str, now: float, *, simulated: bool
) -> tuple[list[SeenLimit], int]:
    """Reports of a provider's windows, as far back as the longest window, the newest last; and how many rows are damaged."""
    rows = db.execute(_SINCE, (now - _KEPT_S, provider, simulated)).fetchall()
    found = [SeenLimit._make(row) for row in rows if _is_whole(*row)]
    # SQLite returns booleans as integers.
    return [one._replace(overage=None if one.overage is None else bool(one.overage)) for one in found], len(
        rows
    ) - len(found)


def _is_whole(window: Any, status: Any, used: Any, resets_at: Any, source: Any, *rest: Any) -> bool:
    """Whether a row holds what a report can: a moment out of the calendar, or a text for a share, would stop every report."""
    _, *seen = rest
    moments = (0 if resets_at is None else resets_at, *seen)
    return (
        all(isinstance(each, int | float) and 0 <= each < _END_OF_TIME_S for each in moments)
        and (used is None or (isinstance(used, int | float) and 0 <= used < math.inf))
        and all(isinstance(each, str) for each in (window, status, source))
    )


def _near(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < _SAME_WINDOW_S)


def _epoch(iso: str | None) -> float | None:
    """Seconds since 1970; ``None`` for a text that is not a time with a zone."""
    try:
        read = datetime.fromisoformat(iso or "")
        return None if read.tzinfo is None else read.timestamp()
    except (ValueError, OverflowError):
        return None
