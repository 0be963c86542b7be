"""How candidates have done lately, as rows of the ledger's file."""

from __future__ import annotations

import sqlite3

from oneseat.contract.routing import Candidate, Outcome

#: Nobody asks for older ones; in seconds.
_KEPT_S = 86_400.0


def since(db: sqlite3.Connection, candidate: Candidate, moment: float) -> list[Outcome]:
    """The ends of a candidate since a moment in seconds since 1970, the newest last."""
    rows = db.execute(
        "SELECT at, code FROM outcomes WHERE candidate = ? AND at >= ? ORDER BY at, rowid",
        (candidate.label, moment),
    )
    return [Outcome(at, code) for at, code in rows]


def note(db: sqlite3.Connection, candidate: Candidate, outcome: Outcome) -> None:
    """Write one down, and forget what is too old."""
    db.execute("DELETE FROM outcomes WHERE at < ?", (outcome.at - _KEPT_S,))
    db.execute(
        "INSERT INTO outcomes (candidate, at, code) VALUES (?, ?, ?)",
        (candidate.label, outcome.at, outcome.code),
    )
