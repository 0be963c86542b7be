"""Every way the ledger's file can fail: which error, in which words, and that the file stays as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Message
from oneseat.contract.history import RunFilter
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.schema import SCHEMA
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_result, make_writer, refused


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def full_path(path: Path) -> Path:
    """A ledger with a run of a hundred events."""
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    for number in range(100):
        writer.record("r1", Message(text=f"{number} " * 500))
    writer.finish(make_result("r1"))
    writer.close()
    return path


def begin(path: Path) -> Callable[[], None]:
    def call() -> None:
        with closing(make_writer(path, busy_timeout_s=0.05)) as writer:
            writer.begin("r9", make_request(), "claude-cli")

    return call


def read(path: Path) -> Callable[[], object]:
    def call() -> object:
        with LedgerReader(path, busy_timeout_s=0.05) as reader:
            return reader.runs(RunFilter())

    return call


def move_aside(path: Path) -> str:
    folder = path.parent / "damaged-1"
    return f"Move it aside; the next run creates a new one: `mkdir {folder} && mv {path}* {folder}`"


def garbage_header(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + path.read_bytes()[8:])


def only_text(path: Path) -> None:
    path.write_text("this is a letter to a friend\n" * 500)


def a_few_bytes(path: Path) -> None:
    path.write_bytes(b"oops")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_in_a_page(path: Path) -> None:
    os.truncate(path, 1000)


def nulls(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def garbage_behind_the_header(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


@pytest.mark.parametrize(
    "damage",
    [
        garbage_header,
        only_text,
        a_few_bytes,
        cut_in_half,
        cut_in_a_page,
        nulls,
        garbage_behind_the_header,
    ],
)
@pytest.mark.parametrize("use", [begin, read])
def test_a_damaged_ledger_is_named_and_left_alone(
    damage: Callable[[Path], None], use: Callable[[Path], Callable[[], object]], full_path: Path
) -> None:
    damage(full_path)
    before = full_path.read_bytes()
    info = refused(use(full_path))
    assert info.code == "usage.ledger_corrupt"
    assert info.message.startswith(f"The ledger cannot be read: `{full_path}`\n  ")
    assert info.message.endswith("; it was left unchanged")
    assert info.hint == move_aside(full_path)
    assert full_path.read_bytes() == before


def test_damage_that_shows_only_later_is_named_too(full_path: Path) -> None:
    writer = make_writer(full_path)
    writer.begin("r2", make_request(), "claude-cli")
    writer.close()
    garbage_behind_the_header(full_path)
    calls: list[Callable[[], None]] = [
        lambda: writer.record("r2", Message(text="x")),
        lambda: writer.finish(make_result("r2")),
    ]
    assert [refused(call).code for call in calls] == ["usage.ledger_corrupt"] * 2
    writer.close()
    with LedgerReader(full_path) as reader:
        assert refused(lambda: list(reader.events("r1"))).code == "usage.ledger_corrupt"


def test_the_words_for_a_damaged_ledger(path: Path) -> None:
    path.write_bytes(b"oops")
    assert refused(begin(path)) == ErrorInfo(
        code="usage.ledger_corrupt",
        message=f"The ledger cannot be read: `{path}`\n  it is too short for a database; it was left unchanged",
        hint=move_aside(path),
    )
    only_text(path)
    assert refused(begin(path)).message == (
        f"The ledger cannot be read: `{path}`\n  SQLite says: file is not a database; it was left unchanged"
    )


def test_the_command_that_moves_a_damaged_ledger_works_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    path = folder / "runs.db"
    for number in (1, 2):
        path.write_bytes(b"oops %d" % number)
        if number == 1:
            path.with_name("runs.db-wal").write_bytes(b"log")
        hint = refused(begin(path)).hint
        assert hint is not None
        subprocess.run(["/bin/sh", "-c", hint.split("`")[1]], check=True)
    kept = {str(it.relative_to(folder)): it.read_bytes() for it in folder.rglob("*") if it.is_file()}
    assert kept == {
        "damaged-1/runs.db": b"oops 1",
        "damaged-1/runs.db-wal": b"log",
        "damaged-2/runs.db": b"oops 2",
    }
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    writer.close()


def test_an_empty_file_is_a_new_ledger(path: Path) -> None:
    path.touch()
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    writer.close()
    with LedgerReader(path) as reader:
        assert reader.run("r1").summary.status == "running"


def test_a_database_of_another_program_is_not_touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE songs (name TEXT)")
    before = path.read_bytes()
    assert refused(begin(path)).message == (
        f"The ledger cannot be read: `{path}`\n  it is a database of another program; it was left unchanged"
    )
    assert path.read_bytes() == before


def test_a_ledger_of_a_development_version_is_not_touched(full_path: Path) -> None:
    db = sqlite3.connect(full_path)
    db.execute(f"PRAGMA application_id = {0x6F736561}")
    db.close()
    before = full_path.read_bytes()
    error = refused(read(full_path))
    assert error.code == "usage.ledger_corrupt"
    assert "a development version" in error.message
    assert error.hint is not None
    assert "damaged-1" in error.hint
    assert full_path.read_bytes() == before


@pytest.mark.parametrize("use", [begin, read])
def test_a_newer_ledger_is_not_touched(use: Callable[[Path], Callable[[], object]], full_path: Path) -> None:
    db = sqlite3.connect(full_path)
    db.execute(f"PRAGMA user_version = {SCHEMA + 4}")
    db.close()
    before = full_path.read_bytes()
    assert refused(use(full_path)) == ErrorInfo(
        code="usage.ledger_newer",
        message=f"The ledger was written by a newer oneseat: `{full_path}`\n"
        f"  it has schema {SCHEMA + 4}, this version knows {SCHEMA}",
        hint="Upgrade oneseat: `pip install --upgrade oneseat`",
    )
    assert full_path.read_bytes() == before


def test_a_ledger_that_stays_locked_is_busy(full_path: Path) -> None:
    other = sqlite3.connect(full_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refused(begin(full_path)) == ErrorInfo(
        code="usage.ledger_busy",
        message=f"The ledger is locked by another process: `{full_path}`\n  it was not released in time",
        hint=f"See which process holds it: `lsof {full_path}`",
        whose_turn="wait",
    )
    # Readers do not wait for writers.
    with LedgerReader(full_path, busy_timeout_s=0.05) as reader:
        assert [run.id for run in reader.runs(RunFilter())] == ["r1"]
    other.close()


@pytest.fixture
def open_writer(path: Path) -> Iterator[LedgerWriter]:
    """A writer in the middle of a run."""
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    yield writer
    writer.close()


def connection(writer: LedgerWriter) -> sqlite3.Connection:
    assert writer._db is not None
    return writer._db


def test_a_disk_that_fills_up_in_the_middle_of_a_run_stops_it(open_writer: LedgerWriter, path: Path) -> None:
    db = connection(open_writer)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + 3}")
    open_writer.record("r1", Message(text="small"))
    large = Message(text="x" * 50_000)
    assert refused(lambda: open_writer.record("r1", large)) == ErrorInfo(
        code="usage.home_full",
        message=f"No space left for the ledger: `{path}`\n  database or disk is full",
        hint=f"See what fills the disk: `df -h {path.parent}`",
    )
    # Nothing half is left, and what came before is there; with space again the run can go on.
    with LedgerReader(path) as reader:
        assert [it.event["text"] for it in reader.events("r1")] == ["small"]
    db.execute("PRAGMA max_page_count = 1000000")
    open_writer.record("r1", large)
    open_writer.finish(make_result("r1"))


def test_a_ledger_that_became_read_only_stops_the_run(open_writer: LedgerWriter, path: Path) -> None:
    connection(open_writer).execute("PRAGMA query_only = ON")
    assert refused(lambda: open_writer.record("r1", Message(text="x"))) == ErrorInfo(
        code="usage.home_unwritable",
        message=f"The ledger cannot be written: `{path}`\n  attempt to write a readonly database",
        hint="See what is wrong with the folders: `oneseat doctor`",
    )


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_ledger_that_is_taken_away_stops_the_run(how: str, open_writer: LedgerWriter, path: Path) -> None:
    if how == "deleted":
        path.unlink()
    else:
        path.rename(path.with_name("old.db"))
    if how == "replaced":
        path.touch()
    assert refused(lambda: open_writer.finish(make_result("r1"))) == ErrorInfo(
        code="usage.ledger_gone",
        message=f"The ledger was moved or deleted while it was in use: `{path}`\n  what was written since is lost",
    )


def test_an_entry_beyond_what_sqlite_holds_is_refused(open_writer: LedgerWriter, path: Path) -> None:
    connection(open_writer).setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
    info = refused(lambda: open_writer.record("r1", Message(text="x" * 200_000)))
    assert info == ErrorInfo(
        code="usage.ledger_too_large",
        message=f"An entry is too large for the ledger: `{path}`\n  SQLite says: string or blob too big",
    )
    open_writer.record("r1", Message(text="x"))


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("missing/runs.db", "No such file or directory"),
        ("file/runs.db", "Not a directory"),
        ("folder", "Is a directory"),
    ],
)
def test_a_place_that_cannot_hold_a_ledger_is_refused(place: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert refused(begin(tmp_path / place)) == ErrorInfo(
        code="usage.home_unwritable",
        message=f"The ledger cannot be written: `{tmp_path / place}`\n  {reason}",
        hint="See what is wrong with the folders: `oneseat doctor`",
    )


def test_a_folder_without_permission_is_refused(ordinary_user: Path) -> None:
    ordinary_user.chmod(0o500)
    info = refused(begin(ordinary_user / "runs.db"))
    assert (info.code, info.message.split("\n  ")[1]) == ("usage.home_unwritable", "Permission denied")


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o400, 0o700), (0o400, 0o500), (0o000, 0o700)])
def test_a_ledger_without_permission_is_refused(
    file_mode: int, folder_mode: int, ordinary_user: Path
) -> None:
    path = ordinary_user / "runs.db"
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    writer.close()
    path.chmod(file_mode)
    ordinary_user.chmod(folder_mode)
    assert refused(begin(path)).code == "usage.home_unwritable"
