"""Open the ledger's file: private, in write-ahead mode, at our schema, or refused with the reason."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path

from . import failures
from .migrations import APPLICATION_ID, SCHEMA, migrate

#: How long to wait between two tries at what SQLite does not wait for itself, in seconds.
_TRY_AGAIN_S = 0.005
_SMALLEST_BYTES = 512


def open_ledger(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to the ledger at ``path``, made or brought to our schema where needed.

    It is in autocommit mode and belongs to the calling thread. Raises ``UsageError``.
    """
    with failures.reported(path):
        _create_private(path)
        db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        try:
            _refuse_foreign(db, path)
            db.execute("PRAGMA foreign_keys = ON")
            _use_write_ahead_log(db, busy_timeout_s)
            migrate(db)
        except BaseException:  # also Ctrl-C: an open connection keeps its locks
            db.close()
            raise
    return db


def _create_private(path: Path) -> None:
    # SQLite would create the file readable by everybody. An existing file is not opened here: closing it again
    # would drop the locks that another connection of this process holds on it.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        # SQLite takes what is shorter than its smallest page for an empty database, and would write over it.
        if 0 < path.stat().st_size < _SMALLEST_BYTES:
            raise failures.corrupt(path, "it is too short for a database") from None


def _refuse_foreign(db: sqlite3.Connection, path: Path) -> None:
    version, application, tables = db.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if (version, application, tables) == (0, 0, 0):
        return
    if application != APPLICATION_ID:
        raise failures.corrupt(path, "it is a database of another program")
    if version > SCHEMA:
        raise failures.newer(path, version, SCHEMA)


def _use_write_ahead_log(db: sqlite3.Connection, busy_timeout_s: float) -> None:
    # The mode is kept in the file. Only the first process changes it, and SQLite does not wait for a lock there.
    deadline = time.monotonic() + busy_timeout_s
    while db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_TRY_AGAIN_S)
        else:
            # A file system without shared memory keeps the old mode, which is slower and as safe.
            return
