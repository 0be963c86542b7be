"""Past runs as the ledger tells of them, and what a killed oneseat left behind."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec import UNSET

from oneseat.contract.errors import UsageError
from oneseat.contract.history import RunFilter
from oneseat.contract.receipt import RunResult
from oneseat.contract.reports.runs import ResultReport, RunList, RunReport
from oneseat.host.clock import SystemClock
from oneseat.host.paths import absolute_path
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.processes.tree import start_time
from oneseat.host.slots import clear_slots
from oneseat.installation import Installation
from oneseat.rules.redaction import redact
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.writer import LedgerWriter, ProcessStamp
from oneseat.telemetry.records import EventLog

__all__ = ["find_result", "find_run", "find_runs"]


def find_runs(here: Installation, wanted: RunFilter) -> RunList:
    """Recorded runs, newest first; ``wanted.cwd`` may be relative or begin with ``~``.

    Raises ``UsageError`` when the folders or the ledger cannot be used, and ``usage.bad_directory`` in a deleted directory.
    """
    if wanted.cwd is not None:
        wanted = msgspec.structs.replace(wanted, cwd=str(absolute_path(wanted.cwd)))
    with opened_reader(here) as ledger:
        return RunList(runs=tuple(ledger.runs(wanted)), not_read=ledger.not_read)


def find_run(here: Installation, name: str) -> RunReport:
    """One run with its events; ``name`` is its id or the beginning of it.

    Raises ``UsageError`` for a name that fits no run or several, and like ``find_runs``.
    """
    with opened_reader(here) as ledger:
        stored = ledger.run(name)
        return RunReport(
            run=stored.summary,
            result=None if stored.result is None else ResultReport.of(stored.result),
            events=tuple(ledger.events(stored.summary.id)),
            policy_inputs=stored.policy_inputs,
            damaged=stored.damaged or UNSET,
        )


def find_result(here: Installation, run_id: str) -> RunResult | None:
    """The result of a run; ``None`` while it goes on. Raises like ``find_run``."""
    with opened_reader(here) as ledger:
        return ledger.run(run_id).result


def opened_reader(here: Installation) -> LedgerReader:
    """The ledger for reading, to be closed. Raises ``UsageError`` when the folders cannot be used."""
    path = here.paths.runs_db
    if path.exists():
        # A run whose oneseat was killed would be shown as going on. Only its lock tells; what it left is for the next start to
        # end. Where the ledger can only be read, reading is still worth it; what else may be wrong with it, the reader says.
        with contextlib.suppress(UsageError), contextlib.closing(_writer(path, redact)) as writer:
            log_recovered(writer.sweep(live_processes(here).is_held))
    return LedgerReader(path)


def recover(here: Installation, writer: LedgerWriter) -> None:
    """End what dead runs and processes left, and record the end of those runs. Raises ``UsageError``."""
    live = live_processes(here)
    # In this order: a start that is killed in between leaves a run without an entry, which is dead as well.
    if live.sweep():
        clear_slots(locks_folder(here))
    log_recovered(writer.sweep(live.is_held))


def live_processes(here: Installation) -> ProcessRegistry:
    """Which runs and processes are alive, and what they keep elsewhere. It lies beside the ledger, whose runs it is about."""
    return ProcessRegistry(here.paths.data_dir / "live")


def ledger_writer(here: Installation, *, keep_text: bool = True) -> LedgerWriter:
    """The ledger for writing, to be closed."""
    return _writer(here.paths.runs_db, here.redactor.redact, keep_text=keep_text)


def locks_folder(here: Installation) -> Path:
    """Holds the locks of projects and the files of runs that wait for their turn."""
    return here.paths.state_dir / "locks"


def log_recovered(run_ids: Iterable[str]) -> None:
    """Log which runs of killed processes were closed in the ledger."""
    for run_id in run_ids:
        EventLog(redact).write(
            logging.WARNING,
            "swept",
            f"Run {run_id} was left behind by a killed oneseat process and is recorded as cancelled",
            run_id=run_id,
        )


def _writer(path: Path, redact: Callable[[str], str], *, keep_text: bool = True) -> LedgerWriter:
    pid = os.getpid()
    owner = ProcessStamp(pid, start_time(pid))
    return LedgerWriter(path, redact=redact, clock=SystemClock(), owner=owner, keep_text=keep_text)
