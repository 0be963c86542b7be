"""A process that asks for shares of a day, spends what it gets, and says what that was. Started by the tests.

spender.py LEDGER PREFIX
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from oneseat.contract.budget import DayLimits
from oneseat.contract.receipt import Receipt, RunResult
from oneseat.contract.request import Request
from oneseat.host.clock import SystemClock
from oneseat.host.process_tree import start_time
from oneseat.rules.budget import share
from oneseat.stores.ledger_writer import LedgerWriter, ProcessStamp


def main(ledger: str, prefix: str) -> None:
    """Ask four times for a quarter of a dollar of a day of three."""
    clock, owner = SystemClock(), ProcessStamp(os.getpid(), start_time(os.getpid()))
    writer = LedgerWriter(Path(ledger), redact=str, clock=clock, owner=owner)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(4):
        run_id = f"{prefix}-{number}"
        writer.begin(run_id, Request(prompt="p", cwd="/"), "p")
        decide = partial(share, 0.25, DayLimits(all_usd=3.0))
        _, cap = writer.reserve(run_id, None, "plan", clock.midnight_iso(), decide)
        usd = cap.usd if cap is not None else 0.0
        receipt = Receipt(
            provider="p",
            model=None,
            wallet="plan",
            expected_wallet="plan",
            verdict="verified",
            equivalent_cost_usd=usd,
        )
        writer.finish(RunResult(run_id=run_id, status="completed", text="", receipt=receipt))
        sys.stdout.write(f"{usd if cap is not None else 'none'}\n")
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
