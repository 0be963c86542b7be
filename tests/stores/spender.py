"""A process that asks for shares of a day, spends what it gets, and says what that was. Started by the tests.

spender.py LEDGER PREFIX plan|key
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from oneseat.contract.budgets import Budget
from oneseat.contract.receipt import Receipt, RunResult
from oneseat.contract.request import Request
from oneseat.host.clock import SystemClock
from oneseat.host.processes.tree import start_time
from oneseat.rules.budgets.allocation import share
from oneseat.stores.ledger.writer import LedgerWriter, ProcessStamp

CAP_USD = 3.0
_PLAN = (Budget(0.25), Budget(CAP_USD, "day"))
_KEY = (Budget(CAP_USD, "month", "key", "work"),)


def main(ledger: str, prefix: str, paid_from: str) -> None:
    """Four runs, each of which spends all or a part of what it is given."""
    clock, owner = SystemClock(), ProcessStamp(os.getpid(), start_time(os.getpid()))
    writer = LedgerWriter(Path(ledger), redact=str, clock=clock, owner=owner)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(4):
        run_id = f"{prefix}-{number}"
        writer.begin(run_id, Request(prompt="p", cwd="/"), "p")
        spend = _by_plan if paid_from == "plan" else _by_key
        used = sum(spend(writer, run_id, clock))
        receipt = Receipt(
            provider="p",
            model=None,
            wallet="plan",
            expected_wallet="plan",
            verdict="verified",
            equivalent_cost_usd=used,
        )
        writer.finish(RunResult(run_id=run_id, status="completed", text="", receipt=receipt))
        sys.stdout.write(f"{used or 'none'}\n")
    writer.close()


def _by_plan(writer: LedgerWriter, run_id: str, clock: SystemClock) -> Iterator[float]:
    """A run with a budget of its own takes what it is given."""
    _, cap = writer.reserve(run_id, "plan", _PLAN, clock.since(), partial(share, _PLAN, 0.0, None))
    yield cap.usd if cap is not None else 0.0


def _by_key(writer: LedgerWriter, run_id: str, clock: SystemClock) -> Iterator[float]:
    """A run of three requests, each reserved as large as it can get and settled by what it was."""
    writer.routed(run_id, "anthropic", "api_key", "work", 0.0)
    used, chance = 0.0, random.Random(run_id)
    for _ in range(3):
        needs = chance.uniform(0.01, 0.3)
        decide = partial(share, _KEY, used, needs)
        _, cap = writer.reserve(run_id, "plan", _KEY, clock.since(), decide)
        if cap is None:
            return
        cost = (cap.usd - used) * chance.choice((1.0, 0.5, 0.9))
        used += cost
        yield cost


if __name__ == "__main__":
    main(*sys.argv[1:])
