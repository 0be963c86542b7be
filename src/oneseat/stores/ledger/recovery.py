"""The result of a run whose process died before the run ended."""

from __future__ import annotations

import sqlite3
from typing import TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Routed, WalletVerified
from oneseat.contract.receipt import NO_TOKENS, Receipt, RunResult, TokenUsage


def interrupted_result(db: sqlite3.Connection, run_id: str, owner_pid: int) -> RunResult:
    """The result of an interrupted run. Its usage is unknown, unless the billing gate had not passed it yet."""
    gate = last_gate(db, run_id)
    provider, model = db.execute("SELECT provider, model FROM runs WHERE id = ?", (run_id,)).fetchone()
    # The run may have gone on to another provider, whose gate had not passed it yet.
    routed = _last(db, run_id, "routed", Routed, before=_LAST_GATE) if gate is not None else None
    provider = routed.provider if routed is not None else provider
    (gates,) = db.execute(
        "SELECT count(*) FROM events WHERE run_id = ? AND type = 'wallet_verified'", (run_id,)
    ).fetchone()
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
            # `wallet_verified` is written before the prompt is sent: without it nothing was sent, with it that is unknown.
            verdict="unverified" if gates else "nothing_sent",
            evidence=gate.evidence if gate else (),
            usage=TokenUsage() if gates else NO_TOKENS,
            cost_usd=None if gates else 0.0,
            equivalent_cost_usd=None if gates else 0.0,
            attempts=gates,
        ),
    )


def last_gate(db: sqlite3.Connection, run_id: str) -> WalletVerified | None:
    """The last ``wallet_verified`` event of a run; ``None`` before the first one, and where it is damaged."""
    return _last(db, run_id, "wallet_verified", WalletVerified)


_LAST_GATE = "(SELECT max(seq) FROM events WHERE run_id = :run AND type = 'wallet_verified')"
_Kind = TypeVar("_Kind", bound=Event)


def _last(
    db: sqlite3.Connection, run_id: str, name: str, kind: type[_Kind], before: str = "9e9"
) -> _Kind | None:
    row = db.execute(
        f"SELECT json FROM events WHERE run_id = :run AND type = :name AND seq < {before} ORDER BY seq DESC LIMIT 1",  # noqa: S608 - from above
        {"run": run_id, "name": name},
    ).fetchone()
    try:
        return None if row is None else msgspec.json.decode(row[0], type=kind)
    except msgspec.DecodeError:  # an event that was damaged since must not keep every later run from starting
        return None
