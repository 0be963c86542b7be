"""What can honestly be said of a run whose process died before the run ended."""

from __future__ import annotations

import sqlite3

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import WalletVerified
from oneseat.contract.receipt import NO_TOKENS, Receipt, RunResult, TokenUsage


def interrupted_result(db: sqlite3.Connection, run_id: str, owner_pid: int) -> RunResult:
    """The result of a run that was cut. What it used is unknown, unless the billing gate had not let it begin."""
    gate = gate_of(db, run_id)
    provider, model = db.execute("SELECT provider, model FROM runs WHERE id = ?", (run_id,)).fetchone()
    return RunResult(
        run_id=run_id,
        status="cancelled",
        text="",
        error=ErrorInfo(
            code="cancelled",
            message=f"The process ended before the run did: `{owner_pid}`\n  found when oneseat started again",
        ),
        receipt=Receipt(
            provider=provider,
            model=model,
            wallet=gate.wallet if gate else "unknown",
            expected_wallet=gate.wallet if gate else "unknown",
            # The gate's yes is written before the prompt is sent: without it nothing was, with it nobody knows.
            verdict="unverified" if gate else "nothing_sent",
            evidence=gate.evidence if gate else (),
            usage=TokenUsage() if gate else NO_TOKENS,
            cost_usd=None if gate else 0.0,
            equivalent_cost_usd=None if gate else 0.0,
        ),
    )


def gate_of(db: sqlite3.Connection, run_id: str) -> WalletVerified | None:
    """The first yes of the billing gate to a run; ``None`` before it."""
    row = db.execute(
        "SELECT json FROM events WHERE run_id = ? AND type = 'wallet_verified' ORDER BY seq LIMIT 1",
        (run_id,),
    ).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=WalletVerified)
