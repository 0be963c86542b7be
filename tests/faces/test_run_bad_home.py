"""`oneseat run` with a home or a ledger that cannot serve: exit 2, a message, what is there stays as it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psutil
import pytest

from oneseat.testing import Behaviour

from .driving import Done, Seat, check_snapshot, fake_seat
from .test_run_bad_input import refused


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    return fake_seat(tmp_path, "ok")[0]


def test_home_is_file(seat):
    seat.home.write_text("x")
    assert refused("home-is-file", seat, "run", "hello").code == 2
    assert seat.home.read_text() == "x"


def test_home_below_file(seat):
    (seat.root / "file").write_text("x")
    seat.env["ONESEAT_HOME"] = str(seat.root / "file" / "below")
    assert refused("home-below-file", seat, "run", "hello").code == 2


def test_rel(seat):
    seat.env["ONESEAT_HOME"] = "oneseat"
    assert refused("home-relative", seat, "run", "hello").code == 2


def test_unwritable(seat):
    seat.become_ordinary()
    seat.home.mkdir()
    seat.home.chmod(0o500)
    assert refused("home-unwritable", seat, "run", "hello").code == 2


def test_unwritable2(seat):
    seat.run("run", "hi")
    seat.become_ordinary()
    seat.ledger.parent.chmod(0o500)
    seat.ledger.chmod(0o400)
    assert refused("ledger-readonly", seat, "run", "hello").code == 2
    print(seat.run("log"))
    print(seat.run("doctor"))


def test_unwritable3(seat):
    seat.run("run", "hi")
    seat.become_ordinary()
    seat.ledger.chmod(0o400)
    assert refused("ledger-readonly-file", seat, "run", "hello").code == 2
    print(seat.run("log"))


def test_corrupt(seat):
    seat.run("run", "hi")
    data = b"not a database" * 100
    seat.ledger.write_bytes(data)
    assert refused("ledger-corrupt", seat, "run", "hello").code == 2
    assert refused("ledger-corrupt-log", seat, "log").code == 2
    assert refused("ledger-corrupt-show", seat, "show", "abc").code == 2
    assert seat.ledger.read_bytes() == data


def test_newer(seat):
    seat.run("run", "hi")
    db = sqlite3.connect(seat.ledger)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    before = seat.ledger.read_bytes()
    assert refused("ledger-newer", seat, "run", "hello").code == 2
    assert refused("ledger-newer-log", seat, "log").code == 2
    assert seat.ledger.read_bytes() == before


def test_foreign(seat):
    seat.ledger.parent.mkdir(parents=True)
    db = sqlite3.connect(seat.ledger)
    db.execute("CREATE TABLE t (x)")
    db.commit()
    db.close()
    before = seat.ledger.read_bytes()
    assert refused("ledger-foreign", seat, "run", "hello").code == 2
    assert seat.ledger.read_bytes() == before


def test_dirl(seat):
    seat.ledger.mkdir(parents=True)
    assert refused("ledger-dir", seat, "run", "hello").code == 2


def test_full(seat, tmp_path):
    import resource

    seat.command = [
        __import__("sys").executable,
        "-c",
        "import resource,os,sys; resource.setrlimit(resource.RLIMIT_FSIZE,(3000,3000)); os.execv(sys.argv[1],sys.argv[1:])",
        *seat.command,
    ]
    assert refused("home-full", seat, "run", "hello").code == 2
    print(list(seat.home.rglob("*")))
