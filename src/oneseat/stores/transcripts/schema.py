"""The index's tables, and opening its file. It can be rebuilt from the transcripts that still exist."""

from __future__ import annotations

import os

from .sqlite import sqlite3

#: "osus" in ASCII.
APPLICATION_ID = 0x6F737573
SCHEMA = 3
_BUSY_S = 60.0
_TABLES = """
CREATE TABLE answers (
    id TEXT PRIMARY KEY,
    main INTEGER NOT NULL,
    output INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    before INTEGER NOT NULL,
    special INTEGER NOT NULL,
    session TEXT NOT NULL,
    project TEXT NOT NULL,
    model TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE files (
    path BLOB PRIMARY KEY,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    print BLOB NOT NULL,
    problems TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE models (model TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE projects (folder TEXT PRIMARY KEY, directory TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    session TEXT,
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    wallet TEXT NOT NULL,
    charged REAL,
    listed REAL,
    known INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_session ON runs (session) WHERE session IS NOT NULL;
CREATE TABLE asked (answer TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE windows (name TEXT NOT NULL, resets INTEGER NOT NULL, PRIMARY KEY (name, resets)) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- The sums by day, rebuilt whenever their inputs change. `tier` is how many of all price thresholds a request passes.
CREATE TABLE days (
    day INTEGER,
    source TEXT NOT NULL,
    wallet TEXT NOT NULL,
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    answers INTEGER NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    listed REAL,
    charged REAL,
    special INTEGER NOT NULL,
    tier INTEGER NOT NULL
);
-- The part of the price table that is needed, rebuilt whenever that changes.
CREATE TABLE rates (
    model TEXT NOT NULL,
    since INTEGER NOT NULL,
    above INTEGER NOT NULL,
    input REAL,
    output REAL,
    cache_read REAL,
    cache_write_5m REAL,
    cache_write_1h REAL,
    PRIMARY KEY (model, since, above)
) WITHOUT ROWID;
"""


#: The columns of ``answers``.
ANSWERS = (
    *("id", "main", "output", "input", "cache_read", "cache_write_5m", "cache_write_1h"),
    *("before", "special", "session", "project", "model"),
)
#: The sums by day.
DAYS = (
    "SELECT day, source, wallet, project, model, answers, input, output, cache_read, cache_write_5m, cache_write_1h,"
    " listed, charged, special FROM days"
)
#: The sums of all projects together. Priced and unpriced rows are kept apart.
DAYS_OF_ALL = (
    "SELECT day, source, wallet, '', model, sum(answers), sum(input), sum(output), sum(cache_read), sum(cache_write_5m),"
    " sum(cache_write_1h), sum(listed), sum(charged), sum(special)"
    " FROM days GROUP BY day, source, wallet, model, listed IS NULL, charged IS NULL"
)


class UnusableIndexError(Exception):
    """The file is not an index that this version can use. ``newer``: a newer version wrote it."""

    def __init__(self, reason: str, *, newer: bool = False) -> None:
        super().__init__(reason)
        self.newer = newer


def open_for_reading(path: str) -> sqlite3.Connection | None:
    """The index at ``path``, for reading; ``None`` when there is none that can be read."""
    if not os.path.exists(path):  # noqa: PTH110 - pathlib takes 10 ms to import
        return None
    try:
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    except sqlite3.Error:  # another program's file, or a folder: opening it for writing reports that
        return None
    try:
        db.execute("PRAGMA query_only = ON")
        if _versions(db) == (APPLICATION_ID, SCHEMA):
            return db
    except sqlite3.Error:
        pass
    db.close()
    return None


def open_for_writing(path: str) -> sqlite3.Connection:
    """The index at ``path``, inside a transaction; created when missing.

    Raises ``UnusableIndexError``, ``sqlite3.Error`` and ``OSError``.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite would create it readable by everybody
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA page_size = 8192")  # for a new file: larger pages are filled in less time
        db.execute("PRAGMA cache_size = -16000")
        db.execute("BEGIN IMMEDIATE")
        application, version = _versions(db)
        if (application, version) == (0, 0) and not db.execute(
            "SELECT count(*) FROM sqlite_master"
        ).fetchone()[0]:
            for statement in _TABLES.split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA}")
        elif application != APPLICATION_ID:
            raise UnusableIndexError("it is a database of another program")
        elif version != SCHEMA:
            raise UnusableIndexError(
                f"it has schema {version}, this version knows {SCHEMA}", newer=version > SCHEMA
            )
    except BaseException:  # also Ctrl-C: an open connection keeps its locks
        db.close()
        raise
    return db


def _versions(db: sqlite3.Connection) -> tuple[int, int]:
    return (
        int(db.execute("PRAGMA application_id").fetchone()[0]),
        int(db.execute("PRAGMA user_version").fetchone()[0]),
    )
