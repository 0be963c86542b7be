"""The history of usage windows, as rows of the ledger's file: one for each change. Imports next to nothing: status bars read it."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime

from oneseat.contract.limits import SeenLimit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneseat.contract.receipt import LimitReading

#: The reset time of one window differs by up to two seconds from report to report.
_SAME_WINDOW_S = 60.0
#: Longer than any window that is known lasts.
_KEPT_S = 8 * 86_400.0
_COLUMNS = ", ".join(SeenLimit._fields)
_OF_WINDOW = "provider = ? AND simulated = ? AND window = ?"
_NEWEST = f"SELECT rowid, {_COLUMNS} FROM limits WHERE {_OF_WINDOW} ORDER BY last_at DESC, rowid DESC LIMIT 1"  # noqa: S608 - names of columns
_SINCE = (
    f"SELECT {_COLUMNS} FROM limits WHERE last_at >= ? AND provider = ? AND simulated = ? ORDER BY last_at"  # noqa: S608 - names of columns
)


def note(
    db: sqlite3.Connection, provider: str, limit: LimitReading, *, simulated: bool, overage: bool | None
) -> None:
    """Write down what was said of a window, in a line of its own if it is news. Windows of the simulator are kept apart."""
    read_at = _moment(limit.read_at)
    if read_at is None:
        return
    resets_at = _moment(limit.resets_at)
    seat = (provider, simulated)
    found = db.execute(_NEWEST, (*seat, limit.window)).fetchone()
    if found is not None:
        row, before = found[0], SeenLimit(*found[1:])
        said = (limit.status, limit.used, limit.source, overage)
        if said == (before.status, before.used, before.source, before.overage) and _near(
            resets_at, before.resets_at
        ):
            # An old report may be repeated: the line never becomes younger than what it says.
            db.execute("UPDATE limits SET last_at = max(last_at, ?) WHERE rowid = ?", (read_at, row))
            return
    values = (limit.window, limit.status, limit.used, resets_at, limit.source, overage, read_at, read_at)
    db.execute(
        f"INSERT INTO limits (provider, simulated, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of columns
        (*seat, *values),
    )


def seen(db: sqlite3.Connection, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
    """What was said of a provider's windows in the time of the longest of them, the newest last."""
    rows = db.execute(_SINCE, (now - _KEPT_S, provider, simulated))
    # SQLite has no booleans.
    return [
        one._replace(overage=None if one.overage is None else bool(one.overage))
        for one in map(SeenLimit._make, rows)
    ]


def seen_in(path: str, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
    """The same of the ledger at ``path``, where it needs no work; nothing where there is no ledger.

    Raises ``sqlite3.Error`` for a ledger that cannot be read as it is, also for one of an older schema.
    """
    if not os.path.exists(path):  # noqa: PTH110 - pathlib takes 10 ms to import
        return []
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        db.execute("PRAGMA query_only = ON")
        return seen(db, provider, now, simulated=simulated)
    finally:
        db.close()


def _near(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < _SAME_WINDOW_S)


def _moment(iso: str | None) -> float | None:
    """Seconds since 1970; ``None`` for what is no moment with a zone."""
    try:
        read = datetime.fromisoformat(iso or "")
        return None if read.tzinfo is None else read.timestamp()
    except (ValueError, OverflowError):
        return None
