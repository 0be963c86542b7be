"""What runs have cost, summed up by budget, from the ledger's rows."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from oneseat.contract.budgets import Budget, Reservation, Scope, Since, Spent
from oneseat.contract.receipt import MOST_USD, Wallet

_COLUMNS: dict[Scope, str | None] = {
    "all": None,
    "key": "key_name",
    "role": "role",
    "project": "project",
    "client": "client",
}
#: A run counts on the day it ended, a running one on today. An ended run of unknown cost, such as a killed one, counts with its
#: whole reservation. The first two parts are read from the index alone. The third one is for keys only: what a run had spent
#: by one key when it went on to another.
_COUNTED = """
    SELECT {fields} FROM runs
    WHERE ended_at >= :since AND ended_at < :tomorrow AND (expected_wallet = 'simulator') = :simulated
    UNION ALL
    SELECT {fields} FROM runs
    WHERE ended_at IS NULL AND (expected_wallet = 'simulator') = :simulated
        AND rowid IS NOT (SELECT rowid FROM runs WHERE id = :run)
    UNION ALL
    SELECT ended_at, moved.key_name, NULL, NULL, NULL, usd, usd, true
    FROM moved CROSS JOIN runs ON runs.id = moved.run_id
    WHERE ((ended_at >= :since AND ended_at < :tomorrow) OR (ended_at IS NULL AND id IS NOT :run))
        AND (expected_wallet = 'simulator') = :simulated
"""
#: Not what no run can cost: below zero it would free a budget, without end it would block one for years.
_COST = f"CASE WHEN equivalent_cost_usd BETWEEN 0 AND {MOST_USD} THEN equivalent_cost_usd END"
_FIELDS = (
    "ended_at, key_name, role, project, client,"
    f" coalesce({_COST}, reserved_usd, 0.0) AS usd, coalesce(used_usd, 0.0) AS used, false AS of_keys"
)
#: The first run dated in the period, and how many there are.
_FIRST = "SELECT min(rowid), count(*) FROM runs WHERE created_at >= :began AND created_at < :tomorrow"
#: The last run from before the period: what was begun before it is over, if it did not go on for too long.
_PROOF = """
    SELECT rowid, created_at FROM runs WHERE created_at < :began AND rowid < :first ORDER BY rowid DESC LIMIT 1
"""
_AHEAD = """
    (ended_at >= :tomorrow AND NOT coalesce(runs.rowid < :proof AND
        julianday(:proved_at) + duration_ms / 86400000.0 < julianday(:began), false))
"""
_BEHIND = "(ended_at < :began AND created_at < :began AND runs.rowid > :first)"
_MISDATED = """
    SELECT {fields} FROM runs WHERE {which}
    UNION ALL
    SELECT ended_at, moved.key_name, NULL, NULL, NULL, moved.usd, 0.0, true
    FROM moved JOIN runs ON runs.id = moved.run_id WHERE {which}
"""


class _Misdated(NamedTuple):
    """A run whose date is not in the period: when it ended, what it counts for, and what it has cost."""

    ended_at: str
    key_name: str | None
    role: str | None
    project: str | None
    client: str | None
    usd: float
    used_usd: float
    of_keys: bool


def spent(
    db: sqlite3.Connection, run_id: str, wallet: Wallet, bounds: tuple[Budget, ...], since: Since
) -> tuple[Spent, ...]:
    """What all other runs have cost in each budget. Simulated and real runs are counted apart.

    A budget of one run is left out: no other run counts in it.
    """
    shared = [bound for bound in bounds if bound.period != "run"]
    if not shared:
        return ()
    sums: list[str] = []
    monthly = any(bound.period == "month" for bound in shared)
    values: dict[str, object] = {
        "run": run_id,
        "simulated": wallet == "simulator",
        "since": min(since.month, since.day) if monthly else since.day,
        "day": since.day,
        "month": since.month,
        "tomorrow": since.tomorrow,
    }
    for number, bound in enumerate(shared):
        column = _COLUMNS[bound.scope]
        named = f"{column} = :name{number}" if column is not None else "true"
        if bound.scope != "key":
            named += " AND NOT of_keys"
        values[f"name{number}"] = bound.name
        began = f"(ended_at IS NULL OR ended_at >= :{bound.period})"
        sums.append(f"sum(CASE WHEN {named} AND {began} THEN usd ELSE 0.0 END)")
        sums.append(f"sum(CASE WHEN {named} AND ended_at IS NULL THEN usd - used ELSE 0.0 END)")
    query = f"SELECT {', '.join(sums)} FROM ({_COUNTED.format(fields=_FIELDS)})"  # noqa: S608 - names from above
    found = [usd or 0.0 for usd in db.execute(query, values).fetchone()]
    misdated = {
        period: _misdated(db, {**values, "began": getattr(since, period)})
        for period in {bound.period for bound in shared}
    }
    pairs = zip(shared, found[::2], found[1::2], strict=True)
    return tuple(_with(misdated[bound.period], Spent(bound, usd, held)) for bound, usd, held in pairs)


def _with(misdated: list[_Misdated], spent: Spent) -> Spent:
    """What was spent in all, with what of the misdated runs concerns this bound."""
    column = _COLUMNS[spent.bound.scope]
    mine = [
        run
        for run in misdated
        if column is None or getattr(run, column) == spent.bound.name
        if spent.bound.scope == "key" or not run.of_keys
    ]
    usd = sum(run.usd for run in mine)
    if not usd:
        return spent
    dates = [run.ended_at for run in mine]
    return Spent(spent.bound, spent.usd + usd, spent.held_usd, usd, max(dates))


def _misdated(db: sqlite3.Connection, values: dict[str, object]) -> list[_Misdated]:
    """The runs that may have ended in the period that ``began`` at a moment, although they are dated otherwise.

    The clock may have been wrong then, or be wrong now. The ledger knows in which order runs have begun, so one that is dated
    later than today counts until a run that was begun after it is dated before the period. One that is dated before the
    period counts if it was begun after one of the period.
    """
    first, counted = db.execute(_FIRST, values).fetchone()
    (last,) = db.execute("SELECT max(rowid) FROM runs").fetchone()
    (ahead,) = db.execute("SELECT count(*) FROM runs WHERE ended_at >= :tomorrow", values).fetchone()
    # On a machine whose clock was always right, this is all that is asked.
    behind = first is not None and last - first + 1 > counted
    if not ahead and not behind:
        return []
    values = {**values, "first": first if first is not None else (last or 0) + 1}
    (values["proof"], values["proved_at"]) = db.execute(_PROOF, values).fetchone() or (0, None)
    which = f"{_AHEAD} OR {_BEHIND}" if first is not None else _AHEAD
    query = _MISDATED.format(
        fields=_FIELDS, which=f"({which}) AND (expected_wallet = 'simulator') = :simulated"
    )
    return [_Misdated(*row) for row in db.execute(query, values)]


def move(db: sqlite3.Connection, run_id: str, key_name: str | None, used_usd: float) -> None:
    """Record what a run has used when it goes on to another key (``None``: a plan), or back to an earlier one."""
    found = db.execute("SELECT key_name FROM runs WHERE id = ?", (run_id,)).fetchone()
    if used_usd <= 0 or found is None or found[0] == key_name:
        return
    db.executemany(
        "INSERT INTO moved (run_id, key_name, usd) VALUES (?, ?, ?)",
        ((run_id, found[0], used_usd), (run_id, key_name, -used_usd)),
    )


def hold(db: sqlite3.Connection, run_id: str, wallet: Wallet, reservation: Reservation) -> None:
    """Record what is reserved for a run, and how much of that it has used."""
    db.execute(
        "UPDATE runs SET reserved_usd = ?, used_usd = ?, expected_wallet = ? WHERE id = ?",
        (reservation.usd, reservation.used_usd, wallet, run_id),
    )
