"""A process that writes runs and says so. Started by the tests, which also kill it.

    program.py LEDGER PREFIX RUNS EVENTS

It prints ``ready``, waits for a line, writes, and prints one line for everything the ledger has taken.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from oneseat.contract.errors import OneseatError
from oneseat.contract.events import ToolResult
from oneseat.contract.receipt import Receipt, RunResult
from oneseat.contract.request import Request
from oneseat.host.clock import SystemClock
from oneseat.host.processes.tree import start_time
from oneseat.stores.ledger.writer import LedgerWriter, ProcessStamp


def say(*words: object) -> None:
    """Tell the test, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def write_runs(writer: LedgerWriter, prefix: str, runs: int, events: int) -> None:
    """Write runs one after the other. An event carries some kilobytes, so that the file's pages change a lot."""
    for number in range(runs):
        run_id = f"{prefix}-{number}"
        writer.begin(run_id, Request(prompt="p", cwd="/"), "claude-cli")
        say("begun", run_id)
        for seq in range(1, events + 1):
            writer.record(run_id, ToolResult(id=str(seq), text=f"{run_id}/{seq} " * 200))
            say("event", run_id, seq)
        receipt = Receipt(provider="p", model=None, wallet="plan", expected_wallet="plan", verdict="verified")
        writer.finish(RunResult(run_id=run_id, status="completed", text=run_id, receipt=receipt))
        say("ended", run_id)


def main(ledger: str, prefix: str, runs: str, events: str, largest_file: str = "") -> int:
    """Write, and say in one word how it failed where it did."""
    if largest_file:
        # What the system answers to a write beyond it is an ordinary error: Python ignores the signal.
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest_file), int(largest_file)))
    owner = ProcessStamp(os.getpid(), start_time(os.getpid()))
    writer = LedgerWriter(Path(ledger), redact=str, clock=SystemClock(), owner=owner)
    say("ready")
    sys.stdin.readline()
    try:
        write_runs(writer, prefix, int(runs), int(events))
    except OneseatError as error:
        say("refused", error.info.code, error.info.message.replace("\n  ", " | "))
        return 1
    writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
