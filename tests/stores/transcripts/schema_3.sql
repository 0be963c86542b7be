-- An index of schema 3 with two answers.
PRAGMA application_id = 1869837683;
PRAGMA user_version = 3;
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
INSERT INTO answers VALUES ('msg_01XFDUDYJgAACzvnptvVoYEL', 1, 100, 10, 0, 0, 0, -1795176000000, 0, 's-1', '-home-me', 'claude-sonnet-5-5');
INSERT INTO answers VALUES ('msg_01XFDUDYJgAACzvnptvVoYEM', 1, 70, 7, 0, 0, 0, -1795176000000, 0, 's-0', '-home-me-gone', 'claude-sonnet-5-5');
INSERT INTO models VALUES ('claude-sonnet-5-5');
INSERT INTO projects VALUES ('-home-me-gone', '/home/me/gone');
INSERT INTO files VALUES ('/gone', 1, 1, 1, 1, 0, '');
INSERT INTO meta VALUES ('ledger_event', 7);
