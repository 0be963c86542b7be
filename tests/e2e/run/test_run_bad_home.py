"""`oneseat run` with a home or a ledger that cannot serve: exit 2, a message, and what is there stays as it is."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from oneseat.testing import Behaviour
from oneseat.testing.fake_cli import Print, Replay, Say, Wait
from tests.e2e.driving import Seat, check_snapshot, fake_seat
from tests.e2e.refusals import refused


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """A seat whose CLI would answer anything."""
    return fake_seat(tmp_path, "ok")[0]


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, with what it holds."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_home_that_is_a_file(seat: Seat) -> None:
    seat.home.write_text("mine")
    assert refused("home-is-file", seat, "run", "hello").code == 2
    assert seat.home.read_text() == "mine"
    seat.env["ONESEAT_HOME"] = str(seat.home / "below")
    assert refused("home-below-file", seat, "run", "hello").code == 2


def test_a_home_that_depends_on_the_working_directory(seat: Seat) -> None:
    seat.env["ONESEAT_HOME"] = "oneseat"
    assert refused("home-relative", seat, "run", "hello").code == 2
    assert list(seat.cwd.iterdir()) == []


def test_a_home_that_cannot_be_written(seat: Seat) -> None:
    seat.become_ordinary()
    seat.home.mkdir(mode=0o500)
    assert refused("home-unwritable", seat, "run", "hello").code == 2
    assert list(seat.home.iterdir()) == []


def test_a_ledger_that_can_only_be_read(seat: Seat) -> None:
    seat.run("run", "hello")
    seat.become_ordinary()
    seat.ledger.chmod(0o400)
    before = seat.ledger.read_bytes()
    assert refused("ledger-read-only", seat, "run", "hello").code == 2
    assert seat.ledger.read_bytes() == before
    # It can still be read.
    assert [run["status"] for run in seat.runs()] == ["completed"]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "corrupt": lambda data: data[:16] + b"\xff" * (len(data) - 16),
    "garbage": lambda data: b"these are my notes, not a database\n" * 100,
    "cut": lambda data: data[: len(data) // 2],
    "short": lambda data: data[:100],
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_ledger_is_refused_and_not_touched(name: str, seat: Seat) -> None:
    seat.run("run", "hello")
    seat.ledger.write_bytes(DAMAGE[name](seat.ledger.read_bytes()))
    before = files_of(seat.home)
    assert refused(f"ledger-{name}", seat, "run", "hello").code == 2
    for command in (("log",), ("show", "a")):
        ended = seat.run(*command)
        assert (ended.code, ended.stdout, "usage.ledger_corrupt" in ended.stderr) == (2, "", True), ended
    assert files_of(seat.home) == before


def test_a_database_of_another_program_is_not_touched(seat: Seat) -> None:
    seat.ledger.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(seat.ledger)) as other, other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    before = files_of(seat.home)
    assert refused("ledger-of-another-program", seat, "run", "hello").code == 2
    assert files_of(seat.home) == before


def test_a_ledger_of_a_newer_oneseat_is_not_touched(seat: Seat) -> None:
    seat.run("run", "hello")
    with contextlib.closing(sqlite3.connect(seat.ledger)) as newer, newer:
        newer.execute("PRAGMA user_version = 99")
    before = files_of(seat.home)
    assert refused("ledger-newer", seat, "run", "hello").code == 2
    assert (seat.run("log").code, seat.run("show", "a").code) == (2, 2)
    assert files_of(seat.home) == before


def test_a_ledger_that_is_a_folder(seat: Seat) -> None:
    seat.ledger.mkdir(parents=True)
    assert refused("ledger-is-folder", seat, "run", "hello").code == 2


HALF = Print(
    '{"type":"stream_event","event":{"type":"content_block_delta",'
    '"delta":{"type":"text_delta","text":"half an answer"}},"parent_tool_use_id":null}\n'
)


def test_a_disk_that_is_full_from_the_start(seat: Seat) -> None:
    limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)); os.execv(sys.argv[1], sys.argv[1:])"
    seat.command = [sys.executable, "-IS", "-c", limit, *seat.command]
    assert refused("home-full", seat, "run", "hello").code == 2


@pytest.mark.parametrize("form", ["--json", "--quiet"])
def test_a_disk_that_fills_up_in_the_middle_of_a_run(form: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    behaviour = Behaviour(on_user=(HALF, Replay(str(gate)), Say("half an answer"), Wait("stdin_closed")))
    seat, _ = fake_seat(tmp_path, behaviour)
    with seat.start("run", "hello", form) as live:
        with gate.open("wb"):  # opens when the CLI waits there, so the ledger has been written to
            # No file of this process may grow any more: to SQLite that is a full disk. Pipes are not files.
            psutil.Process(live.pid).rlimit(resource.RLIMIT_FSIZE, (0, 0))
        ended = live.finish()
    assert (ended.code, seat.processes(), list(seat.temporary.iterdir())) == (2, [], [])
    if form == "--json":
        assert ended.result["text"] == "half an answer"
        assert (ended.result["status"], ended.result["error"]["code"]) == ("failed", "usage.home_full")
    else:
        check_snapshot("disk-full-during-run", seat, ended)
    # What could not be written down is not claimed: the run is known, its end is not.
    (run,) = seat.runs()
    assert (run["status"], run["error_code"]) == ("cancelled", "cancelled")
    seat.assert_nothing_left()


def test_a_full_disk_where_the_answer_should_go(seat: Seat) -> None:
    assert Path("/dev/full").is_char_device()
    for arguments in (("run", "hello"), ("run", "hello", "--json"), ("log",)):
        with Path("/dev/full").open("wb") as full:
            ended = seat.run(*arguments, stdout=full)
        assert ended.code == 2
        check_snapshot(f"stdout-full-{'-'.join(arguments[:1])}", seat, ended)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_was_never_open(closed: str, seat: Seat) -> None:
    seat.command = ["/bin/sh", "-c", f'exec "$0" "$@" {closed}', *seat.command]
    ended = seat.run("run", "hello")
    # Nobody could read the answer: nothing is sent.
    unread = closed == ">&-"
    assert ended.code == (2 if unread else 0)
    assert ended.stdout == ("" if unread else "ok from the fake\n")
    assert ended.stderr.startswith({"2>&-": "", ">&-": "error: "}.get(closed, "receipt: "))
