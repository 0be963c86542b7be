"""What runs have cost, added up under budgets, as rows of the ledger's file."""

from __future__ import annotations

import sqlite3

from oneseat.contract.budget import Bound, Cap, Scope, Since, Spent
from oneseat.contract.receipt import Wallet

_COLUMNS: dict[Scope, str | None] = {
    "all": None,
    "key": "key_name",
    "role": "role",
    "project": "project",
    "client": "client",
}
#: A run belongs to the day it ended in, and one that goes on to this one. What an ended run cost may be unknown, as when its
#: process was killed: then it counts with all it was allowed. Two halves, so that both are read from the index alone.
_COUNTED = """
    SELECT {fields} FROM runs
    WHERE ended_at >= :since AND (expected_wallet = 'simulator') = :simulated
    UNION ALL
    SELECT {fields} FROM runs
    WHERE ended_at IS NULL AND (expected_wallet = 'simulator') = :simulated
        AND rowid IS NOT (SELECT rowid FROM runs WHERE id = :run)
"""
_FIELDS = "ended_at, key_name, role, project, client, coalesce(equivalent_cost_usd, reserved_usd, 0.0) AS usd"


def spent(
    db: sqlite3.Connection, run_id: str, wallet: Wallet, bounds: tuple[Bound, ...], since: Since
) -> tuple[Spent, ...]:
    """What all other runs have cost under each bound. Simulated runs cost nothing real, so the two kinds do not count together.

    A bound of one run counts nothing: nothing but that run is under it.
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
        values[f"name{number}"] = bound.name
        began = f"(ended_at IS NULL OR ended_at >= :{bound.period})"
        sums.append(f"sum(CASE WHEN {named} AND {began} THEN usd ELSE 0.0 END)")
        sums.append(f"sum(CASE WHEN {named} AND ended_at IS NULL THEN usd ELSE 0.0 END)")
    query = f"SELECT {', '.join(sums)} FROM ({_COUNTED.format(fields=_FIELDS)})"  # noqa: S608 - names from above
    found = [usd or 0.0 for usd in db.execute(query, values).fetchone()]
    pairs = zip(shared, found[::2], found[1::2], strict=True)
    return tuple(Spent(bound, usd, held) for bound, usd, held in pairs)


def hold(db: sqlite3.Connection, run_id: str, wallet: Wallet, cap: Cap) -> None:
    """Write down what a run may cost."""
    db.execute(
        "UPDATE runs SET reserved_usd = ?, expected_wallet = ? WHERE id = ?", (cap.usd, wallet, run_id)
    )
