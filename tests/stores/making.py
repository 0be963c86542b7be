"""What the ledger's tests write: a ledger, requests, results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.receipt import PolicyStamp, Receipt, RunResult, Wallet
from oneseat.contract.request import Request
from oneseat.stores.ledger.writer import LedgerWriter, ProcessStamp

OWNER = ProcessStamp(4242, 1_700_000_000.5)
#: Writers that the fixture of this folder closes after each test.
OPENED: list[LedgerWriter] = []


class StepClock:
    """A clock that goes on by a second at every look, from noon."""

    def __init__(self) -> None:
        self.seconds = 0

    def monotonic(self) -> float:
        return float(self.seconds)

    def utc_iso(self) -> str:
        self.seconds += 1
        return f"2026-11-20T12:{self.seconds // 60:02}:{self.seconds % 60:02}.000Z"


def unredacted(text: str) -> str:
    return text


def make_writer(path: Path, redact: Callable[[str], str] = unredacted, **more: Any) -> LedgerWriter:
    writer = LedgerWriter(path, redact=redact, clock=StepClock(), **{"owner": OWNER, **more})
    OPENED.append(writer)
    return writer


def make_request(prompt: str = "say ok", cwd: str = "/desk", model: str | None = "sonnet") -> Request:
    return Request(prompt=prompt, cwd=cwd, model=model)


def make_result(
    run_id: str, *, wallet: Wallet = "plan", error: ErrorInfo | None = None, **more: Any
) -> RunResult:
    receipt = Receipt(
        provider="claude-cli",
        model="claude-sonnet-5",
        wallet=wallet,
        expected_wallet="plan",
        verdict="verified",
        cost_usd=0.0,
        equivalent_cost_usd=0.25,
        cost_source="cli",
        policy=PolicyStamp("GREEN", "G1", "2026.11.20"),
        duration_ms=1500,
    )
    status = "completed" if error is None else "failed"
    return RunResult(
        **{"run_id": run_id, "status": status, "text": "ok", "error": error, "receipt": receipt, **more}
    )


def refused(call: Callable[[], object]) -> ErrorInfo:
    """What a call that the ledger refuses says."""
    with pytest.raises(UsageError) as caught:
        call()
    return caught.value.info
