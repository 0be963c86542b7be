"""The ledger's rows of how candidates ended, for the circuit breaker."""

from __future__ import annotations

import sqlite3

from oneseat.contract.routing import Candidate, Outcome

#: Seconds after which an outcome is deleted: the circuit breaker looks back less far.
_KEPT_S = 86_400.0


def since(db: sqlite3.Connection, candidate: Candidate, moment: float) -> list[Outcome]:
    """A candidate's outcomes since a moment in seconds since 1970, the newest last."""
    rows = db.execute(
        # Not those dated far in the future, by a clock that was ahead: they would keep the circuit open for years.
        "SELECT at, code FROM outcomes WHERE candidate = ? AND at BETWEEN ? AND ? ORDER BY at, rowid",
        (candidate.label, moment, moment + _KEPT_S),
    )
    return [Outcome(at, code) for at, code in rows]


def note(db: sqlite3.Connection, candidate: Candidate, outcome: Outcome) -> None:
    """Add an outcome, and delete the old ones, and those of a clock that was ahead."""
    db.execute(
        "DELETE FROM outcomes WHERE at NOT BETWEEN ? AND ?", (outcome.at - _KEPT_S, outcome.at + _KEPT_S)
    )
    db.execute(
        "INSERT INTO outcomes (candidate, at, code) VALUES (?, ?, ?)",
        (candidate.label, outcome.at, outcome.code),
    )
