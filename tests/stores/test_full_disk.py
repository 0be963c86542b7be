"""A ledger that can be read and not written, as on a full disk, is read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from oneseat.contract.history import RunFilter
from oneseat.stores.ledger import reader as reading
from oneseat.stores.ledger import schema
from oneseat.stores.ledger.failures import reported
from oneseat.stores.ledger.reader import LedgerReader

from .making import make_request, make_result, make_writer


def test_runs_are_read_without_writing_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    writer.finish(make_result("r1"))
    writer.close()

    def full(path: Path, _timeout: float) -> sqlite3.Connection:
        with reported(path):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        raise AssertionError

    monkeypatch.setattr(reading, "open_ledger", full)
    before = sorted(tmp_path.iterdir())
    with LedgerReader(path) as reader:
        assert [run.id for run in reader.runs(RunFilter())] == ["r1"]
        assert sorted(tmp_path.iterdir()) == before
    path.with_name("runs.db-wal").write_bytes(b"something")
    assert schema.open_at_rest(path) is None
