"""Reads the ledger. Nothing here changes a run, and a missing ledger is an empty one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from oneseat._util.time import iso_ms
from oneseat.contract.budgets import Budget, Since, Spent
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.events import WalletVerified
from oneseat.contract.history import LastRun, RunFilter, RunSummary, SeenLimit, StoredEvent, StoredRun
from oneseat.contract.receipt import Evidence, Wallet
from oneseat.contract.sessions import Session
from oneseat.stores.files import printable

from . import budgets, failures, limits, rows, sessions
from .schema import open_at_rest, open_ledger
from .serialise import storable

_MATCHES = 5
_CANNOT_WRITE = frozenset({"usage.home_full", "usage.home_unwritable"})


class LedgerReader:
    """A reader of the ledger at ``path``, and a context manager. Methods raise ``UsageError`` when the file cannot be used.

    Lists leave out damaged rows: ``not_read`` counts them.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 30.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._db: sqlite3.Connection | None = None
        self._damaged = 0

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def not_read(self) -> dict[str, int]:
        """How many rows were left out so far, by the reason that `oneseat usage` names too; empty for none."""
        return {"ledger_rows": self._damaged} if self._damaged else {}

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def runs(self, wanted: RunFilter) -> list[RunSummary]:
        """The runs that match, newest first."""
        where, values = _conditions(wanted)
        found = self._rows(
            f"SELECT {rows.SUMMARY} FROM runs WHERE {where} ORDER BY created_at DESC, rowid DESC LIMIT :limit",  # noqa: S608 - no value is in the text
            {**values, "limit": wanted.limit},
        )
        read = [rows.summary(row) for row in found]
        self._damaged += sum(1 for _, damaged in read if damaged)
        return [summary for summary, damaged in read if not damaged]

    def run(self, name: str) -> StoredRun:
        """One run by its id or the beginning of its id.

        Raises ``UsageError`` ``usage.no_such_run`` or ``usage.ambiguous_run``, both with similar ids.
        """
        run_id = self._find(storable(name))
        found = self._rows(
            f"SELECT prompt_sha256, text, result, policy_inputs, {rows.SUMMARY} FROM runs WHERE id = :id",  # noqa: S608 - no value is in the text
            {"id": run_id},
        )
        sha256, text, stored, inputs, *columns = found[0]
        summary, damaged = rows.summary(columns)
        result, of_result = rows.result(stored, text or "")
        decided_on, of_inputs = rows.policy_inputs(inputs)
        return StoredRun(
            summary=summary,
            prompt_sha256=sha256,
            text_kept=text is not None,
            result=result,
            policy_inputs=decided_on,
            damaged=(*damaged, *of_result, *of_inputs),
        )

    def events(self, run_id: str) -> Iterator[StoredEvent]:
        """The events of a run in order. The last one is made from the run's result, once it has ended.

        An event that cannot be read is of the type ``damaged``.
        """
        seq = 0
        with failures.reported(self._path):
            db = self._opened()
            found = (
                db.execute("SELECT seq, at, json FROM events WHERE run_id = ? ORDER BY seq", (run_id,))
                if db
                else ()
            )
            for seq, at, json in found:
                yield rows.event(seq, at, json)
        yield from self._end(run_id, seq + 1)

    def sessions(self) -> list[Session]:
        """All conversations of all projects, the last used first."""
        with failures.reported(self._path):
            db = self._opened()
            found, damaged = sessions.every(db) if db else ([], 0)
        self._damaged += damaged
        return found

    def session(self, name: str) -> Session:
        """One conversation by its project, its id or the beginning of its id; of several the last used one.

        Raises ``UsageError`` ``usage.no_such_session``.
        """
        found = self.sessions()
        named = [session for session in found if session.project == name]
        begun = [session for session in found if name and session.id.startswith(name)]
        if not named and not begun:
            raise _no_such_session(name)
        return (named or begun)[0]

    def last_in(self, cwd: str, *, simulated: bool) -> LastRun | None:
        """The owner's last run in a directory that something can go on from: one of a session, or one that has answered."""
        query = (
            "SELECT id, session_id, prompt_preview IS NOT NULL AND text IS NOT NULL FROM runs WHERE cwd = :cwd"
            " AND client IS NULL AND coalesce(expected_wallet = 'simulator', :simulated) = :simulated"
            " AND (session_id IS NOT NULL OR status = 'completed') ORDER BY created_at DESC, rowid DESC LIMIT 1"
        )
        for run_id, session, kept in self._rows(query, {"cwd": storable(cwd), "simulated": simulated}):
            return LastRun(id=run_id, session=session, text_kept=bool(kept))
        return None

    def evidence(self, run_id: str) -> tuple[Evidence, ...]:
        """The evidence of who paid: from the receipt, or from the billing gate while the run is running."""
        for (result,) in self._rows(
            "SELECT result FROM runs WHERE id = :id AND result IS NOT NULL", {"id": run_id}
        ):
            read, _ = rows.result(result, "")
            return read.receipt.evidence if read is not None else ()
        query = "SELECT json FROM events WHERE run_id = :id AND type = 'wallet_verified' ORDER BY seq DESC LIMIT 1"
        for (json,) in self._rows(query, {"id": run_id}):
            with contextlib.suppress(msgspec.DecodeError):
                return msgspec.json.decode(json, type=WalletVerified).evidence
        return ()

    def limits(self, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
        """Reports of a provider's usage windows, the newest last. ``now`` is in seconds since 1970."""
        with failures.reported(self._path):
            db = self._opened()
            found, damaged = limits.seen(db, provider, now, simulated=simulated) if db else ([], 0)
        self._damaged += damaged
        return found

    def spent(self, bounds: tuple[Budget, ...], wallet: Wallet, since: Since) -> tuple[Spent, ...]:
        """What all runs have cost in each budget of a day or a month."""
        with failures.reported(self._path):
            db = self._opened()
            if db is None:
                return tuple(Spent(bound, 0.0, 0.0) for bound in bounds)
            return budgets.spent(db, "", wallet, bounds, since)

    def _end(self, run_id: str, seq: int) -> Iterator[StoredEvent]:
        query = "SELECT ended_at, status, text, result FROM runs WHERE id = :id AND result IS NOT NULL"
        for at, status, text, result in self._rows(query, {"id": run_id}):
            end = rows.event(seq, at, result)
            if end.event.get("type") != rows.DAMAGED:
                kind = "finished" if status == "completed" else "failed"
                fields = {"type": kind, "result": {**end.event, "text": text or ""}}
                end = msgspec.structs.replace(end, event=fields)
            yield end

    def _find(self, name: str) -> str:
        ids = self._beginning_with(name)
        if name in ids:
            return name
        if len(ids) == 1:
            return ids[0]
        if ids:
            raise _ambiguous(name, ids)
        # Most mistyped or truncated ids still begin correctly.
        shorter = (self._beginning_with(name[:length]) for length in range(len(name) - 1, len(name) // 2, -1))
        raise _no_such_run(name, next((near for near in shorter if near), [])[:_MATCHES])

    def _beginning_with(self, name: str) -> list[str]:
        if not name:
            return []
        rows = self._rows(
            "SELECT id FROM runs WHERE id >= :low AND id < :high ORDER BY id LIMIT :limit",
            # The highest code point sorts after every possible continuation.
            {"low": name, "high": name + "\U0010ffff", "limit": _MATCHES + 1},
        )
        return [run_id for (run_id,) in rows]

    def _rows(self, query: str, values: dict[str, Any]) -> list[Any]:
        with failures.reported(self._path):
            db = self._opened()
            return db.execute(query, values).fetchall() if db else []

    def _opened(self) -> sqlite3.Connection | None:
        if self._db is None and self._path.exists():
            try:
                self._db = open_ledger(self._path, self._busy_timeout_s)
            except UsageError as error:
                # SQLite writes a file beside the ledger even to read it.
                at_rest = open_at_rest(self._path) if error.info.code in _CANNOT_WRITE else None
                if at_rest is None:
                    raise
                self._db = at_rest
            self._db.execute("PRAGMA query_only = ON")
        return self._db


def _conditions(wanted: RunFilter) -> tuple[str, dict[str, Any]]:
    # Not LIKE: in a folder's name, `%` and `_` would match anything.
    all_conditions: dict[str, tuple[str, str | None]] = {
        "status": ("status = :status", wanted.status),
        "since": ("created_at >= :since", _stamp(wanted.since)),
        "until": ("created_at < :until", _stamp(wanted.until)),
        "wallet": ("wallet = :wallet", wanted.wallet),
        "cwd": ("cwd = :cwd OR substr(cwd, 1, length(:below)) = :below", wanted.cwd),
        "error": ("substr(error_code, 1, length(:error)) = :error", wanted.error),
        "session": ("session_id = :session", wanted.session),
    }
    used = {name: (text, value) for name, (text, value) in all_conditions.items() if value is not None}
    values = {name: storable(value) for name, (_, value) in used.items()}
    if wanted.cwd is not None:
        values["below"] = values["cwd"].rstrip(os.sep) + os.sep
    return " AND ".join(f"({text})" for text, _ in used.values()) or "true", values


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else iso_ms(moment)


def _no_such_run(name: str, ids: list[str]) -> UsageError:
    near = f"\n  similar: {_listed(ids)}" if ids else ""
    return UsageError(
        ErrorInfo(
            code="usage.no_such_run",
            message=f"No such run: `{printable(name)[:80]}`{near}",
            hint="See the latest runs: `oneseat log`",
        )
    )


def _no_such_session(name: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.no_such_session",
            message=f"No session with this project or id: `{printable(name)[:80]}`",
            hint="See all sessions: `oneseat sessions list`",
        )
    )


def _ambiguous(name: str, ids: list[str]) -> UsageError:
    more = " and more" if len(ids) > _MATCHES else ""
    return UsageError(
        ErrorInfo(
            code="usage.ambiguous_run",
            message=f"Several runs match: `{printable(name)[:80]}`\n  {_listed(ids[:_MATCHES])}{more}",
            hint=f"Name one of them: `oneseat show {ids[0]}`",
        )
    )


def _listed(ids: list[str]) -> str:
    return ", ".join(f"`{run_id}`" for run_id in ids)


def _shown(name: str) -> str:
    return printable(name)[:80]
