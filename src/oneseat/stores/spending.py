"""What a day's runs have cost, as rows of the ledger's file."""

from __future__ import annotations

import sqlite3

from oneseat.contract.budget import Cap, DaySpent
from oneseat.contract.receipt import Wallet

#: A run belongs to the day it ended in, and one that goes on to this one. What an ended run cost may be unknown, as when its
#: process was killed: then it counts with all it was allowed.
_SPENT = """
    SELECT
        coalesce(sum(usd), 0.0),
        coalesce(sum(CASE WHEN project = :project THEN usd ELSE 0.0 END), 0.0),
        coalesce(sum(CASE WHEN ended_at IS NULL THEN usd ELSE 0.0 END), 0.0)
    FROM (
        SELECT project, ended_at, coalesce(equivalent_cost_usd, reserved_usd, 0.0) AS usd
        FROM runs
        WHERE (ended_at >= :since OR ended_at IS NULL) AND id != :run AND (expected_wallet = 'simulator') = :simulated
    )
"""


def spent(db: sqlite3.Connection, run_id: str, project: str | None, wallet: Wallet, since: str) -> DaySpent:
    """What all other runs since then have cost. Simulated runs cost nothing real, so the two kinds do not count together."""
    values = {"run": run_id, "project": project, "since": since, "simulated": wallet == "simulator"}
    total, of_project, held = db.execute(_SPENT, values).fetchone()
    return DaySpent(all_usd=total, project_usd=of_project, reserved_usd=held)


def hold(db: sqlite3.Connection, run_id: str, wallet: Wallet, cap: Cap) -> None:
    """Write down what a run may cost."""
    db.execute(
        "UPDATE runs SET reserved_usd = ?, expected_wallet = ? WHERE id = ?", (cap.usd, wallet, run_id)
    )
