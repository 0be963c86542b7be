"""The ledger's schema, and opening its file: private, in write-ahead mode, and refused with the reason when it is not ours.

A released migration is never edited, because files made by it exist. A change is a new function at the end of ``MIGRATIONS``,
with a comment that says why it was needed. ``PRAGMA user_version`` is the number of migrations that a file has had.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from oneseat.contract.ownership import refuse_strangers

from . import failures

Migration = Callable[[sqlite3.Connection], None]

#: Marks the file as ours ("oslg"), so that another program's database is never changed.
APPLICATION_ID = 0x6F736C67
#: The mark of development versions ("osea"), whose schema cannot be migrated.
_DEVELOPMENT_ID = 0x6F736561
#: Seconds between two tries of what SQLite does not wait for itself.
_RETRY_S = 0.005
#: SQLite's smallest page. It takes a shorter file for an empty database.
_SMALLEST_BYTES = 512

_TABLES = """
-- A column is what `oneseat log` filters by and what is summed. Everything else about a run is in `result`: the JSON that
-- `oneseat run --json` prints, without its text, which is in `text`.
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    status TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT,
    cwd TEXT NOT NULL,
    prompt_bytes INTEGER NOT NULL,
    prompt_sha256 TEXT NOT NULL,
    prompt_preview TEXT,
    text TEXT,
    error_code TEXT,
    error_message TEXT,
    wallet TEXT,
    expected_wallet TEXT,
    verdict TEXT,
    cost_usd REAL,
    equivalent_cost_usd REAL,
    policy_tier TEXT,
    policy_rule TEXT,
    policy_pack TEXT,
    policy_inputs TEXT,
    duration_ms INTEGER,
    result TEXT,
    owner_pid INTEGER NOT NULL,
    owner_started REAL NOT NULL,
    session_id TEXT,
    project TEXT,
    role TEXT,
    client TEXT,
    key_name TEXT,
    paid_from TEXT,
    reserved_usd REAL,
    used_usd REAL
);
CREATE INDEX runs_by_time ON runs (created_at);
-- Every start looks for runs of dead processes. Without this index it would read the whole history.
CREATE INDEX runs_going_on ON runs (owner_pid) WHERE status = 'running';
CREATE INDEX runs_by_session ON runs (session_id) WHERE session_id IS NOT NULL;
-- Every run with a budget sums up its month from this index alone, because the rows hold whole answers.
CREATE INDEX runs_by_end ON runs
    (ended_at, expected_wallet, key_name, role, project, client, equivalent_cost_usd, reserved_usd, used_usd);

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    type TEXT NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (run_id, seq)
);

-- The official CLI holds a project's conversation. Which one, how old and how long it is must outlive our process, or every
-- run would begin a new one.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    cwd TEXT NOT NULL,
    wallet TEXT NOT NULL,
    provider TEXT NOT NULL,
    created_at TEXT NOT NULL,
    used_at TEXT NOT NULL,
    messages INTEGER NOT NULL,
    instructions TEXT NOT NULL,
    ended_at TEXT,
    end_reason TEXT
);
-- One live conversation a place: with two, one would be lost. A simulated one must never reach the real seat, and one seat
-- cannot continue the conversation of another.
CREATE UNIQUE INDEX live_session ON sessions (project, cwd, wallet, provider) WHERE ended_at IS NULL;

-- How full a usage window is: one row a change, so that status bars and paused runs need not read all events. What the
-- simulator says must never pause a real run.
CREATE TABLE limits (
    provider TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    window TEXT NOT NULL,
    status TEXT NOT NULL,
    used REAL,
    resets_at REAL,
    source TEXT NOT NULL,
    overage INTEGER,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL
);
CREATE INDEX limits_by_window ON limits (provider, simulated, window, last_at);
CREATE INDEX limits_by_time ON limits (last_at);

-- How each candidate ended, for the circuit breaker of all processes. The runs do not tell: a run that another candidate then
-- served is a success.
CREATE TABLE outcomes (candidate TEXT NOT NULL, at REAL NOT NULL, code TEXT);
CREATE INDEX outcomes_by_candidate ON outcomes (candidate, at);

-- A run that goes from one key to another has spent money of both, and its row names the last one. What it spent before is
-- added to the first key and taken from the second, or the first key's budget would never see it.
CREATE TABLE moved (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key_name TEXT,
    usd REAL NOT NULL
);
CREATE INDEX moved_by_run ON moved (run_id);
"""


def _tables(db: sqlite3.Connection) -> None:
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    # Not `executescript`, which would commit and so end the migration's transaction.
    for statement in _TABLES.split(";\n"):
        db.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (_tables,)
SCHEMA = len(MIGRATIONS)


def open_ledger(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to the ledger at ``path``, which is created or migrated where needed.

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


def open_at_rest(path: Path) -> sqlite3.Connection | None:
    """A connection that only reads and needs no file beside the ledger, as where the disk is full; ``None`` where that cannot do.

    It sees nothing that is written from now on, and nothing of a write-ahead log.
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return None
    db = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)
    try:
        _refuse_foreign(db, path)
        known = version_of(db) == SCHEMA
    except BaseException:  # also Ctrl-C: an open connection keeps its file open
        db.close()
        raise
    if known:
        return db
    db.close()
    return None


def version_of(db: sqlite3.Connection) -> int:
    """How many migrations the file has had."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Apply the missing migrations, all or none of them. Leaves a file alone that has them all, or more."""
    if version_of(db) >= len(steps):
        return
    # Several processes may find the same old file at once, so the version is read again under the lock: only one migrates.
    db.execute("BEGIN IMMEDIATE")
    try:
        for number, step in enumerate(steps[version_of(db) :], version_of(db) + 1):
            step(db)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except BaseException:  # also Ctrl-C: the next statement must not be added to half a migration
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _create_private(path: Path) -> None:
    # SQLite would create a file that everybody can read. An existing file is not opened here: closing it again would drop
    # the locks that another connection of this process holds on it.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
        refuse_strangers(path)
        # SQLite would take it for an empty database and write over it.
        if 0 < path.stat().st_size < _SMALLEST_BYTES:
            raise failures.corrupt(path, "it is too short for a database") from None


def _refuse_foreign(db: sqlite3.Connection, path: Path) -> None:
    version, application, tables = db.execute(
        "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)"
        " FROM pragma_user_version, pragma_application_id"
    ).fetchone()
    if (version, application, tables) == (0, 0, 0):
        return
    if application == _DEVELOPMENT_ID:
        raise failures.corrupt(path, "a development version of oneseat wrote it")
    if application != APPLICATION_ID:
        raise failures.corrupt(path, "it is a database of another program")
    if version > SCHEMA:
        raise failures.newer(path, version, SCHEMA)


def _use_write_ahead_log(db: sqlite3.Connection, busy_timeout_s: float) -> None:
    # The mode is kept in the file, so only the first process changes it, and SQLite does not wait for a lock there.
    deadline = time.monotonic() + busy_timeout_s
    while db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            # A file system without shared memory keeps the old mode, which is slower and as safe.
            return
