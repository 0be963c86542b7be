"""The index's tables, and opening its file. It can be rebuilt from the transcripts that still exist."""

from __future__ import annotations

import os

from .sqlite import sqlite3

#: "osus" in ASCII.
APPLICATION_ID = 0x6F737573
SCHEMA = 4
_BUSY_S = 60.0
_TABLES = """
-- One row for each request that an answer was seen of; `double` when another row of its id is the same answer (see `doubles`).
CREATE TABLE answers (
    id TEXT NOT NULL,
    session TEXT NOT NULL,
    slot INTEGER NOT NULL,
    part INTEGER NOT NULL,
    main INTEGER NOT NULL,
    output INTEGER NOT NULL,
    input INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write_5m INTEGER NOT NULL,
    cache_write_1h INTEGER NOT NULL,
    before INTEGER NOT NULL,
    special INTEGER NOT NULL,
    searches INTEGER NOT NULL,
    line INTEGER NOT NULL,
    project TEXT NOT NULL,
    model TEXT NOT NULL,
    double INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, session, slot, part)
) WITHOUT ROWID;
CREATE TABLE files (
    path BLOB PRIMARY KEY,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    print BLOB NOT NULL,
    problems TEXT NOT NULL,
    directory TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE models (model TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE projects (folder TEXT NOT NULL, directory TEXT NOT NULL, PRIMARY KEY (folder, directory)) WITHOUT ROWID;
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
    cache_write_1h INTEGER NOT NULL,
    searches INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_session ON runs (session) WHERE session IS NOT NULL;
CREATE TABLE asked (answer TEXT NOT NULL, run TEXT NOT NULL, PRIMARY KEY (answer, run)) WITHOUT ROWID;
CREATE INDEX asked_by_run ON asked (run);
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
    searches INTEGER NOT NULL,
    unpriced_searches INTEGER NOT NULL,
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
    web_search REAL,
    PRIMARY KEY (model, since, above)
) WITHOUT ROWID;
"""


#: The columns of ``answers`` that a sighting has; the first four are its key.
SIGHTING = (
    *(
        "id",
        "session",
        "slot",
        "part",
        "main",
        "output",
        "input",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
    ),
    *("before", "special", "searches", "line", "project", "model"),
)
#: The columns of ``answers``.
ANSWERS = (*SIGHTING, "double")
#: The sums by day.
DAYS = (
    "SELECT day, source, wallet, project, model, answers, input, output, cache_read, cache_write_5m, cache_write_1h,"
    " listed, charged, special, searches, unpriced_searches FROM days"
)
#: The sums of all projects together. Priced and unpriced rows are kept apart.
DAYS_OF_ALL = (
    "SELECT day, source, wallet, '', model, sum(answers), sum(input), sum(output), sum(cache_read), sum(cache_write_5m),"
    " sum(cache_write_1h), sum(listed), sum(charged), sum(special), sum(searches), sum(unpriced_searches)"
    " FROM days GROUP BY day, source, wallet, model, listed IS NULL, charged IS NULL"
)
#: The answers of an index of schema 3, which kept one row for each id. The transcripts that still exist are read again; the
#: answers of those that are gone are only here.
_CARRIED_OVER = """
INSERT INTO answers SELECT id, session, 0, 0, main, output, input, cache_read, cache_write_5m, cache_write_1h, before, special,
    0, 0, project, model, 0 FROM before_answers;
INSERT INTO models SELECT DISTINCT model FROM before_answers;
INSERT INTO projects SELECT folder, directory FROM before_projects;
DROP TABLE before_answers;
DROP TABLE before_projects
"""
_LAST_SCHEMA = 3


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
            _create(db)
        elif application != APPLICATION_ID:
            raise UnusableIndexError("it is a database of another program")
        elif version == _LAST_SCHEMA:
            _carry_over(db)
        elif version != SCHEMA:
            raise UnusableIndexError(
                f"it has schema {version}, this version knows {SCHEMA}", newer=version > SCHEMA
            )
    except BaseException:  # also Ctrl-C: an open connection keeps its locks
        db.close()
        raise
    return db


def _create(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";\n"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")


def _carry_over(db: sqlite3.Connection) -> None:
    """Make an index of the last schema one of this schema. What it has from the ledger and from files is read again."""
    for name in ("answers", "projects"):
        db.execute(f"ALTER TABLE {name} RENAME TO before_{name}")
    for name in ("files", "models", "runs", "asked", "windows", "meta", "days", "rates"):
        db.execute(f"DROP TABLE {name}")
    _create(db)
    for statement in _CARRIED_OVER.split(";\n"):
        db.execute(statement)


def _versions(db: sqlite3.Connection) -> tuple[int, int]:
    return (
        int(db.execute("PRAGMA application_id").fetchone()[0]),
        int(db.execute("PRAGMA user_version").fetchone()[0]),
    )
