"""The ledger's schema: frozen once shipped, brought forward all or nothing, by one process only."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from oneseat.contract.history import RunFilter
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.schema import MIGRATIONS, SCHEMA, Migration, migrate, open_ledger, version_of

from .making import make_request, make_result, make_writer

SCHEMAS = Path(__file__).with_name("schemas")


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def schema_of(db: sqlite3.Connection) -> str:
    rows = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return "\n".join(f"{sql};" for (sql,) in rows) + "\n"


def add_colour(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE runs ADD COLUMN colour TEXT DEFAULT 'blue'")


def break_halfway(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE half (x)")
    db.execute("ALTER TABLE no_such_table ADD COLUMN x")


@pytest.mark.parametrize("version", range(1, SCHEMA + 1))
def test_a_step_that_shipped_still_makes_what_it_made(version: int, tmp_path: Path) -> None:
    db = connect(tmp_path / "runs.db")
    migrate(db, MIGRATIONS[:version])
    assert schema_of(db) == (SCHEMAS / f"{version}.sql").read_text("utf-8")
    db.close()


@pytest.mark.parametrize("version", range(1, SCHEMA + 1))
def test_a_ledger_of_every_version_comes_to_the_present_one_with_its_runs(
    version: int, tmp_path: Path
) -> None:
    path = tmp_path / "runs.db"
    db = connect(path)
    db.executescript((SCHEMAS / f"{version}.sql").read_text("utf-8"))
    db.executescript((SCHEMAS / f"{version}-rows.sql").read_text("utf-8"))
    db.close()
    with LedgerReader(path) as reader:
        (run,) = reader.runs(RunFilter())
        assert (run.id, run.status, run.wallet) == ("old-run", "completed", "plan")
        assert [it.event["type"] for it in reader.events("old-run")] == ["message", "finished"]
        assert [it.what for it in reader.evidence("old-run")] == ["account.tokenSource"]
    now = connect(path)
    new = open_ledger(tmp_path / "new.db", 1.0)
    assert version_of(now) == version_of(new) == SCHEMA
    assert now.execute("PRAGMA application_id").fetchone() == new.execute("PRAGMA application_id").fetchone()
    now.close()
    new.close()


def test_only_the_missing_steps_are_taken(tmp_path: Path) -> None:
    db = connect(tmp_path / "runs.db")
    migrate(db, MIGRATIONS)
    taken: list[str] = []
    steps: list[Migration] = [
        *(lambda _, number=number: taken.append(f"old {number}") for number in range(SCHEMA)),
        lambda _: taken.append("new 1"),
        lambda _: taken.append("new 2"),
    ]
    migrate(db, steps)
    assert taken == ["new 1", "new 2"]
    assert version_of(db) == SCHEMA + 2
    migrate(db, steps)
    assert taken == ["new 1", "new 2"]
    db.close()


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    writer.finish(make_result("r1"))
    writer.close()
    db = connect(path)
    before = schema_of(db)
    with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
        migrate(db, [*MIGRATIONS, add_colour, break_halfway])
    assert (schema_of(db), version_of(db), db.in_transaction) == (before, SCHEMA, False)
    db.close()
    with LedgerReader(path) as reader:
        assert reader.run("r1").summary.status == "completed"


def test_of_two_that_find_an_old_file_one_migrates(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    open_ledger(path, 1.0).close()
    inside, go_on = threading.Event(), threading.Event()
    times: list[str] = []

    def slow_step(db: sqlite3.Connection) -> None:
        inside.set()
        assert go_on.wait(10)
        add_colour(db)
        times.append("first")

    def first() -> None:
        db = connect(path)
        migrate(db, [*MIGRATIONS, slow_step])
        db.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    second = connect(path)
    # It looks before the first has ended, sees the old version, and has to wait for the lock.
    second.set_trace_callback(lambda statement: go_on.set() if statement.startswith("BEGIN") else None)
    migrate(second, [*MIGRATIONS, lambda _: times.append("second")])
    thread.join(10)
    assert times == ["first"]
    assert version_of(second) == SCHEMA + 1
    second.close()
