"""A short campaign in every test run, always the same one; the long one is ``make chaos``. And that it would find something."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from .campaign import Campaign
from .plays import FAKE, REAL
from .report import finding
from .seat import Ended, Seat, alive
from .truth import stored_runs, wrong_with_command, wrong_with_ledger, wrong_with_machine, wrong_with_run

SEED = 11
#: Those that end within a second, and of the real CLI's as few as show it: each is measured before it is killed.
LONG = {"fake-stays", "fake-stubborn", "fake-large", "slow", "tool", "thinking", "structured"}
QUICK = tuple(play for play in (*FAKE, *REAL) if play.name not in LONG)
TEXT = FAKE[0]


def test_nothing_is_left_and_nothing_is_untrue_whenever_something_is_killed(claude_path: Path) -> None:
    with Campaign(str(claude_path), QUICK) as campaign:
        outcomes = list(campaign.run(SEED, 4, workers=2))
    assert [finding(outcome, SEED) for outcome in outcomes if outcome.findings] == []
    assert sum(outcome.hit for outcome in outcomes) >= 4


def test_a_survivor_and_a_forgotten_folder_are_found(tmp_path: Path) -> None:
    seat = Seat(tmp_path / "seat")
    (seat.temporary / "forgotten").mkdir()
    code = "import signal; print(1, flush=True); signal.pause()"
    env = {"SOMEWHERE": str(seat.home)}
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seen = seat.families()
        found = list(wrong_with_machine(seat, []))
        process.kill()
    assert [mark.pid for mark in seen] == [process.pid]
    assert alive(seen) == []
    assert (found[0].startswith(f"survivor: {process.pid} "), found[1:]) == (
        True,
        ["temporary file: forgotten"],
    )


def test_an_untrue_end_is_found(tmp_path: Path) -> None:
    seat = Seat(tmp_path / "seat")
    env = {"ONESEAT_CLAUDE_PATH": "/nowhere/claude", "ONESEAT_SIMULATOR_URL": "http://127.0.0.1:9"}
    ended = seat.start(("run", "--json", "hello"), env).finish()
    (run,) = stored_runs(seat.ledger)
    assert ended.code == 7, ended
    assert list(wrong_with_run(TEXT, ended, run, 0)) == []
    assert list(wrong_with_ledger(seat.ledger)) == []
    lies = (
        wrong_with_run(TEXT, ended, run._replace(status="completed"), 0),
        wrong_with_run(TEXT, ended, run._replace(text="something"), 0),
        wrong_with_run(TEXT, ended, run, 1),
        wrong_with_run(TEXT, ended, None, 1),
        wrong_with_command(Ended(1, b"", "error: oneseat failed", 0.1)),
        wrong_with_command(Ended(None, b"", "", 0.1)),
    )
    assert [bool(list(found)) for found in lies] == [True] * len(lies)
    with closing(sqlite3.connect(seat.ledger)) as ledger, ledger:
        ledger.execute("UPDATE runs SET ended_at = NULL")
    assert [found[:4] for found in wrong_with_ledger(seat.ledger)] == ["run "]
