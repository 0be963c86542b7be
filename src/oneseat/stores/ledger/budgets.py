"""What runs have cost, summed up by budget, from the ledger's rows."""

from __future__ import annotations

import sqlite3

from oneseat.contract.budgets import Bound, Cap, Scope, Since, Spent
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
    WHERE ended_at >= :since AND (expected_wallet = 'simulator') = :simulated
    UNION ALL
    SELECT {fields} FROM runs
    WHERE ended_at IS NULL AND (expected_wallet = 'simulator') = :simulated
        AND rowid IS NOT (SELECT rowid FROM runs WHERE id = :run)
    UNION ALL
    SELECT ended_at, moved.key_name, NULL, NULL, NULL, usd, usd, true
    FROM moved CROSS JOIN runs ON runs.id = moved.run_id
    WHERE (ended_at >= :since OR (ended_at IS NULL AND id IS NOT :run))
        AND (expected_wallet = 'simulator') = :simulated
"""
#: Not what no run can cost: below zero it would free a budget, without end it would block one for years.
_COST = f"CASE WHEN equivalent_cost_usd BETWEEN 0 AND {MOST_USD} THEN equivalent_cost_usd END"
_FIELDS = (
    "ended_at, key_name, role, project, client,"
    f" coalesce({_COST}, reserved_usd, 0.0) AS usd, coalesce(used_usd, 0.0) AS used, false AS of_keys"
)


def spent(
    db: sqlite3.Connection, run_id: str, wallet: Wallet, bounds: tuple[Bound, ...], since: Since
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
    pairs = zip(shared, found[::2], found[1::2], strict=True)
    return tuple(Spent(bound, usd, held) for bound, usd, held in pairs)


def move(db: sqlite3.Connection, run_id: str, key_name: str | None, used_usd: float) -> None:
    """Record what a run has used when it goes on to another key (``None``: a plan), or back to an earlier one."""
    found = db.execute("SELECT key_name FROM runs WHERE id = ?", (run_id,)).fetchone()
    if used_usd <= 0 or found is None or found[0] == key_name:
        return
    db.executemany(
        "INSERT INTO moved (run_id, key_name, usd) VALUES (?, ?, ?)",
        ((run_id, found[0], used_usd), (run_id, key_name, -used_usd)),
    )


def hold(db: sqlite3.Connection, run_id: str, wallet: Wallet, cap: Cap) -> None:
    """Record what is reserved for a run, and how much of that it has used."""
    db.execute(
        "UPDATE runs SET reserved_usd = ?, used_usd = ?, expected_wallet = ? WHERE id = ?",
        (cap.usd, cap.used_usd, wallet, run_id),
    )
