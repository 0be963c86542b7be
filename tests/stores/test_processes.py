"""Several processes on one ledger, and processes that die in the middle of writing to it."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from oneseat.contract.history import RunFilter
from oneseat.stores.ledger.reader import LedgerReader

from .making import make_writer

PROGRAM = Path(__file__).with_name("program.py")


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a writing process, which is then ready and waits for its line."""
    with ExitStack() as ended:

        def start(path: Path, prefix: str, *more: object) -> subprocess.Popen[str]:
            command = [sys.executable, str(PROGRAM), str(path), prefix, *map(str, more)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ended.enter_context(process)
            ended.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def integrity(path: Path) -> str:
    db = sqlite3.connect(path)
    try:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        db.close()


def test_eight_processes_that_make_and_fill_one_ledger_lose_nothing(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    # The file does not exist yet: all eight find that out and want to make it.
    processes = [start(path, f"p{number}", 4, 15) for number in range(8)]
    for process in processes:
        go(process)
    for process in processes:
        # Whoever looks meanwhile sees whole runs, also while the file is being made.
        with LedgerReader(path) as reader:
            assert all(reader.run(run.id).summary.id == run.id for run in reader.runs(RunFilter(limit=1000)))
        process_output(process)
    assert [process.returncode for process in processes] == [0] * 8
    with LedgerReader(path) as reader:
        runs = reader.runs(RunFilter(limit=1000))
        assert len(runs) == 32
        for run in runs:
            assert run.status == "completed"
            events = list(reader.events(run.id))
            assert [it.seq for it in events] == list(range(1, 17))
            assert [it.event["text"][: len(run.id)] for it in events[:-1]] == [run.id] * 15
    assert integrity(path) == "ok"
    assert [it.name for it in tmp_path.iterdir()] == ["runs.db"]


def process_output(process: subprocess.Popen[str]) -> list[str]:
    """Everything the process still says, once it has ended."""
    output, _ = process.communicate(timeout=60)
    return output.splitlines()


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_process_leaves_everything_it_was_told_is_written(
    seed: int, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "runs.db"
    lines = random.Random(seed).randrange(1, 120)
    process = start(path, "k", 1000, 12)
    go(process)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(lines)]
    # It is somewhere in a write, and what it said up to now may still be in the pipe.
    process.kill()
    said += process_output(process)
    check_all_is_there(path, [line.split() for line in said])


def check_all_is_there(path: Path, said: list[list[str]]) -> None:
    told: dict[str, set[str]] = defaultdict(set)
    for kind, run_id, *rest in said:
        told[run_id].add(f"{kind} {' '.join(rest)}".strip())
    writer = make_writer(path)
    swept = set(writer.sweep(lambda _run: False))
    writer.close()
    with LedgerReader(path) as reader:
        for run_id, facts in told.items():
            stored = {f"event {it.seq}" for it in reader.events(run_id)}
            assert {fact for fact in facts if fact.startswith("event")} <= stored
            ended = reader.run(run_id).summary.status
            assert ended == ("completed" if "ended" in facts or run_id not in swept else "cancelled")
        assert reader.runs(RunFilter(status="running")) == []
    assert integrity(path) == "ok"


def test_a_process_that_may_write_no_more_says_so(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    process = start(path, "full", 1000, 50, 200_000)
    go(process)
    said = process_output(process)
    assert process.returncode == 1
    assert said[-1] == f"refused usage.home_full No space left for the ledger: `{path}` | File too large"
    # What it was told before is there, and the folder holds nothing else that the search for the reason left.
    check_all_is_there(path, [line.split() for line in said[:-1]])
    assert [it.name for it in tmp_path.iterdir()] == ["runs.db"]
