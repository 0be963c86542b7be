"""Writes runs into the ledger: plain calls that return when the file holds what they were given.

What a call wrote survives the death of the process. From the first event of an answer on, and at the end of a run, it also
survives the loss of power: these writes decide what is repeated and what is paid for.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from oneseat.contract.budgets import Budget, Reservation, Share, Since, Spent
from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.events import Event, Failed, Finished, LimitSeen, Started
from oneseat.contract.history import SeenLimit
from oneseat.contract.policy import PolicyInputs, RecentActivity
from oneseat.contract.ports import Clock
from oneseat.contract.receipt import LimitReading, PolicyStamp, RunResult, Wallet
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, Outcome
from oneseat.contract.sessions import EndReason, Exchange, Session

from . import activity, budgets, failures, limits, outcomes, sessions
from .recovery import interrupted_result, last_gate
from .schema import open_ledger
from .serialise import TRANSIENT, EventSerialiser

_PREVIEW_CHARS = 200
_LAST_EXCHANGES = 20
_RUNNING = "SELECT id, owner_pid FROM runs WHERE status = 'running'"


class ProcessStamp(NamedTuple):
    """Identifies a process: its id, which the system reuses, and its start time in seconds since the epoch."""

    pid: int
    started: float


class LedgerWriter:
    """One connection, opened by the first call and bound to the thread that made it.

    ``redact`` removes secrets from a text; ``owner`` is the process that these runs belong to; ``busy_timeout_s`` is how long
    to wait for another process's lock. Methods raise ``UsageError`` when the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        redact: Callable[[str], str],
        clock: Clock,
        owner: ProcessStamp,
        keep_text: bool = True,
        busy_timeout_s: float = 30.0,
    ) -> None:
        self._path = path
        self._serialiser = EventSerialiser(redact, keep_text=keep_text)
        self._keep_text = keep_text
        self._clock = clock
        self._owner = owner
        self._busy_timeout_s = busy_timeout_s
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def begin(self, run_id: str, request: Request, provider: str) -> None:
        """Record that a run exists, before it does anything."""
        prompt = request.prompt.encode("utf-8", "surrogatepass")
        # Redacted before it is cut: half a secret would not be recognised.
        preview = self._serialiser.content(request.prompt)
        row = {
            "id": run_id,
            "created_at": self._clock.utc_iso(),
            "status": "running",
            "provider": provider,
            "model": None if request.model is None else self._serialiser.text(request.model),
            "cwd": self._serialiser.text(request.cwd),
            "prompt_bytes": len(prompt),
            "prompt_sha256": hashlib.sha256(prompt).hexdigest(),
            "prompt_preview": preview and preview[:_PREVIEW_CHARS],
            "owner_pid": self._owner.pid,
            "owner_started": self._owner.started,
            "project": request.project and request.project.name,
            "role": request.role,
            "client": request.client,
        }
        with self._transaction(durable=False) as db:
            db.execute(
                f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})",  # noqa: S608 - names from the line above
                row,
            )

    def decided(self, run_id: str, stamp: PolicyStamp, inputs: PolicyInputs) -> None:
        """Record what the policy decided about a run, and on which inputs."""
        row = (stamp.tier, stamp.rule, stamp.pack, msgspec.json.encode(inputs).decode(), run_id)
        with self._transaction(durable=False) as db:
            db.execute(
                "UPDATE runs SET policy_tier = ?, policy_rule = ?, policy_pack = ?, policy_inputs = ? WHERE id = ?",
                row,
            )

    def recent_activity(self, provider: str, now: float, *, simulated: bool) -> RecentActivity:
        """A seat's recent runs; ``now`` is in seconds since 1970."""
        with failures.reported(self._path):
            return activity.recent(self._opened(), provider, now, simulated=simulated)

    def routed(
        self, run_id: str, provider: str, paid_from: str, key_name: str | None, used_usd: float
    ) -> None:
        """Record which provider a run goes to next, what that is paid from, and by which of the owner's keys.

        The run keeps reserved only what it has used, which counts for the key it leaves. If it kept the rest, runs that leave a
        provider together would each find the next budget reserved by the others.
        """
        with self._transaction(durable=False) as db:
            budgets.move(db, run_id, key_name, used_usd)
            db.execute(
                "UPDATE runs SET provider = ?, paid_from = ?, key_name = ?, reserved_usd = ?, used_usd = ? WHERE id = ?",
                (provider, paid_from, key_name, used_usd, used_usd, run_id),
            )

    def record(self, run_id: str, *events: Event) -> None:
        """Append events, all or none of them. Pieces of text are not stored; the last event is stored as the run's result."""
        if events and isinstance(events[-1], Finished | Failed):
            self.finish(events[-1].result)
        stored = [event for event in events if not isinstance(event, (*TRANSIENT, Finished, Failed))]
        if not stored:
            return
        entries, at = self._serialiser.events(stored), self._clock.utc_iso()
        # Sync on the first event: hidden behind model latency, and it flushes what was written before.
        started = any(isinstance(event, Started) for event in stored)
        with self._transaction(durable=started) as db:
            last = "SELECT coalesce(max(seq), 0) FROM events WHERE run_id = ?"
            (before,) = db.execute(last, (run_id,)).fetchone()
            db.executemany(
                "INSERT INTO events (run_id, seq, at, type, json) VALUES (?, ?, ?, ?, ?)",
                [(run_id, seq, at, *entry) for seq, entry in enumerate(entries, before + 1)],
            )
            for event in stored:
                if isinstance(event, LimitSeen):
                    _note_limit(db, run_id, event)

    def finish(self, result: RunResult) -> None:
        """Record how a run ended. A second call for the same run replaces the first."""
        with self._transaction(durable=True) as db:
            self._end(db, result)

    def sweep(self, is_alive: Callable[[str], bool]) -> list[str]:
        """End every run as cancelled that is not alive. Returns their ids. ``is_alive`` gets the id of a run."""
        # Without a lock first: nearly every start finds nothing.
        with failures.reported(self._path):
            found = self._opened().execute(_RUNNING).fetchall()
        orphans = [row for row in found if not is_alive(row[0])]
        if not orphans:
            return []
        with self._transaction(durable=True) as db:
            running = {row[0] for row in db.execute(_RUNNING)}
            ended = [row for row in orphans if row[0] in running]
            for run_id, owner_pid in ended:
                self._end(db, interrupted_result(db, run_id, owner_pid))
        return [row[0] for row in ended]

    def reserve(
        self, run_id: str, wallet: Wallet, bounds: tuple[Budget, ...], since: Since, share: Share
    ) -> tuple[tuple[Spent, ...], Reservation | None]:
        """Let ``share`` decide what is reserved for a run, and record it before another process can decide.

        Returns what the other runs have cost, and the decision.
        """
        with self._transaction(durable=True) as db:
            before = budgets.spent(db, run_id, wallet, bounds, since)
            cap = share(before)
            if cap is not None:
                budgets.hold(db, run_id, wallet, cap)
        return before, cap

    def limits(self, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
        """Reports of a provider's usage windows, the newest last. ``now`` is in seconds since 1970."""
        with failures.reported(self._path):
            return limits.seen(self._opened(), provider, now, simulated=simulated)[0]

    def note_limits(self, provider: str, found: Sequence[LimitReading], *, simulated: bool) -> None:
        """Record what a provider reported of its usage windows outside of a run."""
        with self._transaction(durable=False) as db:
            for limit in found:
                limits.note(db, provider, limit, simulated=simulated, overage=None)

    def live_session(self, project: str, cwd: str, wallet: Wallet, provider: str) -> Session | None:
        """The conversation that the next run of a project in this directory continues."""
        with failures.reported(self._path):
            return sessions.live(self._opened(), project, self._serialiser.text(cwd), wallet, provider)

    def use_session(self, session: Session, run_id: str, replaces: EndReason) -> None:
        """Record that a run sends a message in ``session``; ``replaces`` is why any other conversation of its place ended."""
        row = msgspec.structs.replace(session, cwd=self._serialiser.text(session.cwd))
        with self._transaction(durable=True) as db:
            sessions.use(db, row, run_id, replaces)

    def outcomes(self, candidate: Candidate, since: float) -> list[Outcome]:
        """A candidate's outcomes since a moment in seconds since 1970, the newest last."""
        with failures.reported(self._path):
            return outcomes.since(self._opened(), candidate, since)

    def note_outcome(self, candidate: Candidate, outcome: Outcome) -> None:
        """Record how a candidate ended."""
        with self._transaction(durable=False) as db:
            outcomes.note(db, candidate, outcome)

    def exchanges(self, session_id: str) -> tuple[Exchange, ...]:
        """The last prompts and answers of a conversation, the latest at the end; empty when no text is kept."""
        if not self._keep_text:
            return ()
        with failures.reported(self._path):
            return sessions.exchanges(self._opened(), session_id, _LAST_EXCHANGES)

    def end_sessions(self, project: str) -> list[Session]:
        """End a project's conversations. Returns them as they are now."""
        with self._transaction(durable=True) as db:
            return sessions.end(db, project, self._clock.utc_iso())

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _end(self, db: sqlite3.Connection, result: RunResult) -> None:
        receipt, policy, error = result.receipt, result.receipt.policy, result.error
        row = {
            "ended_at": self._clock.utc_iso(),
            "status": result.status,
            "provider": receipt.provider,
            "text": self._serialiser.content(result.text),
            "error_code": error and error.code,
            "error_message": error and self._serialiser.text(error.message),
            "wallet": receipt.wallet,
            "expected_wallet": receipt.expected_wallet,
            "verdict": receipt.verdict,
            "cost_usd": receipt.cost_usd,
            "equivalent_cost_usd": receipt.equivalent_cost_usd,
            "policy_tier": policy and policy.tier,
            "policy_rule": policy and policy.rule,
            "policy_pack": policy and policy.pack,
            "duration_ms": receipt.duration_ms,
            "result": self._serialiser.result(result),
        }
        if receipt.model is not None:
            row["model"] = self._serialiser.text(receipt.model)
        values = ", ".join(f"{name} = :{name}" for name in row)
        # A clock that was set back meanwhile must not date the end before the beginning: no budget would count it.
        values = values.replace("= :ended_at", "= max(created_at, :ended_at)")
        changed = db.execute(
            f"UPDATE runs SET {values} WHERE id = :id",  # noqa: S608 - names from above
            {**row, "id": result.run_id},
        ).rowcount
        if changed == 0:
            raise _never_begun(result.run_id)

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        with failures.reported(self._path):
            db = self._opened()
            # FULL waits milliseconds for the disk; NORMAL leaves that to the system.
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:  # also Ctrl-C: an open transaction would block all other processes
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._refuse_deleted()

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_ledger(self._path, self._busy_timeout_s)
            self._identity = _identity(self._path)
        return self._db

    def _refuse_deleted(self) -> None:
        # SQLite goes on writing to a deleted file, which vanishes with the last connection.
        if _identity(self._path) != self._identity:
            raise failures.gone(self._path)


def _note_limit(db: sqlite3.Connection, run_id: str, event: LimitSeen) -> None:
    gate = last_gate(db, run_id)
    (provider,) = db.execute("SELECT provider FROM runs WHERE id = ?", (run_id,)).fetchone()
    simulated = gate is not None and gate.wallet == "simulator"
    limits.note(db, provider, event.limit, simulated=simulated, overage=event.overage)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every event, and three times faster than Path.stat
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _never_begun(run_id: str) -> InternalError:
    return InternalError(
        ErrorInfo(
            code="bug.ledger", message=f"A run ended that was never started: `{run_id}`", whose_turn="bug"
        )
    )
