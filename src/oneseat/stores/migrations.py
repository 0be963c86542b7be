"""The ledger's schema, one numbered step at a time.

A step that has shipped is never edited: files made by it exist. A change is a new function at the end of the list,
with a comment that says why it was needed. The number of steps a file has seen is its ``PRAGMA user_version``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

Migration = Callable[[sqlite3.Connection], None]

#: Marks the file as ours ("osea"), so that a database of another program is never changed.
APPLICATION_ID = 0x6F736561


def _runs_and_events(db: sqlite3.Connection) -> None:
    # The beginning: one row per run, one row per event. What `oneseat log` filters by is a column; everything else
    # about a run is in `result`, the JSON that `oneseat run --json` printed, without its text, which is in `text`.
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(
        """
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
            duration_ms INTEGER,
            result TEXT,
            owner_pid INTEGER NOT NULL,
            owner_started REAL NOT NULL
        )
        """
    )
    db.execute("CREATE INDEX runs_by_time ON runs (created_at)")
    # Every start looks for runs that a dead process left behind. Without this it would read the whole history.
    db.execute("CREATE INDEX runs_going_on ON runs (owner_pid) WHERE status = 'running'")
    db.execute(
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            at TEXT NOT NULL,
            type TEXT NOT NULL,
            json TEXT NOT NULL,
            UNIQUE (run_id, seq)
        )
        """
    )


def _sessions(db: sqlite3.Connection) -> None:
    # Runs of one project share a conversation, which only the official CLI holds: which one, how old it is and how many
    # messages it has must outlive the process, or every run would begin a new one.
    db.execute(
        """
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            cwd TEXT NOT NULL,
            wallet TEXT NOT NULL,
            created_at TEXT NOT NULL,
            used_at TEXT NOT NULL,
            messages INTEGER NOT NULL,
            instructions TEXT NOT NULL,
            ended_at TEXT,
            end_reason TEXT
        )
        """
    )
    # Two conversations to continue would mean that one of them is lost; a simulated one must never reach the real seat.
    db.execute("CREATE UNIQUE INDEX live_session ON sessions (project, cwd, wallet) WHERE ended_at IS NULL")
    db.execute("ALTER TABLE runs ADD COLUMN session_id TEXT")
    db.execute("CREATE INDEX runs_by_session ON runs (session_id) WHERE session_id IS NOT NULL")


def _budgets(db: sqlite3.Connection) -> None:
    # A day's budget is shared by all processes: what a run going on may still cost has to be where the others look, or two
    # of them take the last dollar. What it counts is found by when runs ended and by their project.
    db.execute("ALTER TABLE runs ADD COLUMN project TEXT")
    db.execute("ALTER TABLE runs ADD COLUMN reserved_usd REAL")
    db.execute("CREATE INDEX runs_by_end ON runs (ended_at)")


def _limits(db: sqlite3.Connection) -> None:
    # How full a window is now is asked by status bars and before every run that may be paused: nobody must read all events
    # for it. One row per change keeps a year of runs small. What the simulator says must never pause a real run.
    db.execute(
        """
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
        )
        """
    )
    db.execute("CREATE INDEX limits_by_window ON limits (provider, simulated, window, last_at)")
    db.execute("CREATE INDEX limits_by_time ON limits (last_at)")


def _routes(db: sqlite3.Connection) -> None:
    # A run may be paid by a plan or by one of several keys, and every key, role and client may have a budget: whose money it
    # was has to be a column, or a sum over a month would open every result. What the policy was told is kept as JSON.
    for column in ("role", "client", "key_name", "paid_from", "policy_inputs"):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column} TEXT")
    # Every run under a budget adds up its month: from this index alone, as the rows hold whole answers.
    db.execute("DROP INDEX runs_by_end")
    db.execute(
        "CREATE INDEX runs_by_end ON runs"
        " (ended_at, expected_wallet, key_name, role, project, client, equivalent_cost_usd, reserved_usd)"
    )
    # A second seat has conversations of its own, which the first one cannot continue.
    db.execute("ALTER TABLE sessions ADD COLUMN provider TEXT NOT NULL DEFAULT 'claude-cli'")
    db.execute("DROP INDEX live_session")
    db.execute(
        "CREATE UNIQUE INDEX live_session ON sessions (project, cwd, wallet, provider) WHERE ended_at IS NULL"
    )


def _outcomes(db: sqlite3.Connection) -> None:
    # A candidate that has failed several times in a row is left alone by every process, so its ends are where all look. The
    # runs do not tell them: a run that another candidate then served is a success.
    db.execute("CREATE TABLE outcomes (candidate TEXT NOT NULL, at REAL NOT NULL, code TEXT)")
    db.execute("CREATE INDEX outcomes_by_candidate ON outcomes (candidate, at)")


def _moved(db: sqlite3.Connection) -> None:
    # Of what a run holds, the part that it has used comes back to nobody: without it, others waited for that too.
    db.execute("ALTER TABLE runs ADD COLUMN used_usd REAL")
    db.execute("DROP INDEX runs_by_end")
    db.execute(
        "CREATE INDEX runs_by_end ON runs"
        " (ended_at, expected_wallet, key_name, role, project, client, equivalent_cost_usd, reserved_usd, used_usd)"
    )
    # A run that goes from one key to another has spent money of both, and its row names the last one: the first key's budget
    # would never see what it paid. What was spent before a move is added to the one and taken from the other.
    db.execute(
        """
        CREATE TABLE moved (
            run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            key_name TEXT,
            usd REAL NOT NULL
        )
        """
    )
    db.execute("CREATE INDEX moved_by_run ON moved (run_id)")


MIGRATIONS: tuple[Migration, ...] = (
    _runs_and_events,
    _sessions,
    _budgets,
    _limits,
    _routes,
    _outcomes,
    _moved,
)
SCHEMA = len(MIGRATIONS)


def version_of(db: sqlite3.Connection) -> int:
    """How many steps the file has seen."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, steps: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file to the last step, all or nothing. Does nothing to one that is already there, or beyond."""
    if version_of(db) >= len(steps):
        return
    # Several processes may find the same old file at once. The lock comes first, then the second look: only one migrates.
    db.execute("BEGIN IMMEDIATE")
    try:
        for number, step in enumerate(steps[version_of(db) :], version_of(db) + 1):
            step(db)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except BaseException:  # also Ctrl-C: half a migration must not be what the next statement adds to
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
