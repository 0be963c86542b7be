"""The ledger's rows of conversations."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime
from typing import Any

import msgspec

from oneseat.contract.sessions import EndReason, Exchange, Session

_COLUMNS = ", ".join(Session.__struct_fields__)
_VALUES = ", ".join(f":{name}" for name in Session.__struct_fields__)
_PLACE = (
    "project = :project AND cwd = :cwd AND wallet = :wallet AND provider = :provider AND ended_at IS NULL"
)


def live(db: sqlite3.Connection, project: str, cwd: str, wallet: str, provider: str) -> Session | None:
    """The conversation that the next run of this place continues."""
    place = {"project": project, "cwd": cwd, "wallet": wallet, "provider": provider}
    found, _ = _rows(db, f"WHERE {_PLACE}", place)
    return found[0] if found else None


def use(db: sqlite3.Connection, session: Session, run_id: str, replaces: EndReason) -> None:
    """Record that a run sends a message in ``session``, and end any other conversation of the same place."""
    row = msgspec.structs.asdict(session)
    db.execute(
        f"UPDATE sessions SET ended_at = :used_at, end_reason = :why WHERE {_PLACE} AND id != :id",  # noqa: S608 - no value is in the text
        {**row, "why": replaces},
    )
    # A conversation that was ended meanwhile counts this message and stays ended.
    db.execute(
        f"INSERT INTO sessions ({_COLUMNS}) VALUES ({_VALUES})"  # noqa: S608 - names from above
        " ON CONFLICT (id) DO UPDATE SET used_at = :used_at, messages = :messages",
        row,
    )
    db.execute("UPDATE runs SET session_id = ? WHERE id = ?", (session.id, run_id))


def end(db: sqlite3.Connection, project: str, at: str) -> list[Session]:
    """End a project's conversations in all directories. Returns them as they are now."""
    values = {"project": project, "at": at}
    which = "WHERE project = :project AND ended_at IS NULL"
    live_ids = [session.id for session in _rows(db, which, values)[0]]
    db.execute(f"UPDATE sessions SET ended_at = :at, end_reason = 'ended' {which}", values)  # noqa: S608 - no value is in the text
    found, _ = _rows(db, "WHERE project = :project", values)
    return [session for session in found if session.id in live_ids]


def exchanges(db: sqlite3.Connection, session_id: str, most: int) -> tuple[Exchange, ...]:
    """Prompts and answers of the last completed runs of a conversation, the latest at the end; or of a run of this id."""
    rows = db.execute(
        "SELECT prompt_preview, text FROM runs WHERE (session_id = ? OR id = ?) AND status = 'completed'"
        " AND prompt_preview IS NOT NULL AND text IS NOT NULL ORDER BY created_at DESC, rowid DESC LIMIT ?",
        (session_id, session_id, most),
    ).fetchall()
    return tuple(Exchange(asked, answered) for asked, answered in reversed(rows))


def every(db: sqlite3.Connection) -> tuple[list[Session], int]:
    """All conversations, the last used first, and how many rows are damaged."""
    return _rows(db, "ORDER BY used_at DESC, rowid DESC", {})


def _rows(db: sqlite3.Connection, which: str, values: dict[str, Any]) -> tuple[list[Session], int]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM sessions {which}", values).fetchall()  # noqa: S608 - no value is in the text
    found = []
    for row in rows:
        # No oneseat wrote it like this: it cannot be continued, and must not stop what can.
        with contextlib.suppress(msgspec.ValidationError, ValueError):
            session = msgspec.convert(dict(zip(Session.__struct_fields__, row, strict=True)), Session)
            datetime.fromisoformat(session.created_at), datetime.fromisoformat(session.used_at)
            found.append(session)
    return found, len(rows) - len(found)
