"""Write runs into the ledger. Plain calls that return when the file holds what they were given.

What a call wrote is safe from the death of the process when it returns. It is safe from the loss of power as well from the
first event of an answer on, and at the end: they decide what is repeated and what is paid for.
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

from oneseat.contract.budgets import Bound, Cap, Share, Since, Spent
from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.events import Event, Failed, Finished, LimitSeen, Started
from oneseat.contract.limits import SeenLimit
from oneseat.contract.policy import PolicyInputs, RecentActivity
from oneseat.contract.ports import Clock
from oneseat.contract.receipt import LimitReading, PolicyStamp, RunResult, Wallet
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, Outcome
from oneseat.contract.sessions import EndReason, Exchange, Session

from . import failures, lately, limits, outcomes, sessions, spending
from .database import open_ledger
from .entries import NOT_STORED, Entries
from .interrupted import gate_of, interrupted_result

_PREVIEW_CHARS = 200
_LAST_EXCHANGES = 20
_GOING_ON = "SELECT id, owner_pid, owner_started FROM runs WHERE status = 'running'"


class ProcessStamp(NamedTuple):
    """One process for good: its id, which the system uses again, with the time it started, seconds since the epoch."""

    pid: int
    started: float


class LedgerWriter:
    """One connection that writes, opened by the first call and bound to the thread that made it.

    ``redact`` takes secrets out of a text; ``owner`` is the process whose runs these are; ``busy_timeout_s`` is how long
    to wait for another process's lock. Every method raises ``UsageError`` when the file cannot serve.
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
        self._entries = Entries(redact, keep_text=keep_text)
        self._keep_text = keep_text
        self._clock = clock
        self._owner = owner
        self._busy_timeout_s = busy_timeout_s
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    def begin(self, run_id: str, request: Request, provider: str) -> None:
        """Record that a run exists, before anything is done for it."""
        prompt = request.prompt.encode("utf-8", "surrogatepass")
        # Redacted whole, then cut: a secret cut in half would no longer be recognised.
        preview = self._entries.content(request.prompt)
        row = {
            "id": run_id,
            "created_at": self._clock.utc_iso(),
            "status": "running",
            "provider": provider,
            "model": None if request.model is None else self._entries.text(request.model),
            "cwd": self._entries.text(request.cwd),
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
        """Record what the policy said of a run, and by what."""
        row = (stamp.tier, stamp.rule, stamp.pack, msgspec.json.encode(inputs).decode(), run_id)
        with self._transaction(durable=False) as db:
            db.execute(
                "UPDATE runs SET policy_tier = ?, policy_rule = ?, policy_pack = ?, policy_inputs = ? WHERE id = ?",
                row,
            )

    def lately(self, provider: str, now: float, *, simulated: bool) -> RecentActivity:
        """What was asked of a seat lately; ``now`` is in seconds since 1970."""
        with failures.reported(self._path):
            return lately.lately(self._opened(), provider, now, simulated=simulated)

    def routed(
        self, run_id: str, provider: str, paid_from: str, key_name: str | None, used_usd: float
    ) -> None:
        """Record which provider a run goes to next, what that is paid from, and by which of the owner's keys.

        What it keeps reserved is what it has used, which counts for the key it leaves: the rest was for the provider it leaves,
        and runs that leave one together would each find the budget of the next one held by the others.
        """
        with self._transaction(durable=False) as db:
            spending.move(db, run_id, key_name, used_usd)
            db.execute(
                "UPDATE runs SET provider = ?, paid_from = ?, key_name = ?, reserved_usd = ?, used_usd = ? WHERE id = ?",
                (provider, paid_from, key_name, used_usd, used_usd, run_id),
            )

    def record(self, run_id: str, *events: Event) -> None:
        """Append events, all or none of them. Deltas are not stored, and the last event is stored as the end of its run."""
        if events and isinstance(events[-1], Finished | Failed):
            self.finish(events[-1].result)
        stored = [event for event in events if not isinstance(event, (*NOT_STORED, Finished, Failed))]
        if not stored:
            return
        entries, at = self._entries.events(stored), self._clock.utc_iso()
        # Waited for while the model thinks, not before the prompt leaves. It makes safe what was written before it, too.
        begins = any(isinstance(event, Started) for event in stored)
        with self._transaction(durable=begins) as db:
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

    def sweep(self, is_alive: Callable[[int, float], bool], clear: Callable[[str], None]) -> list[str]:
        """End, as cancelled, every run whose owner is gone. Returns their ids.

        ``is_alive`` says whether the process with this id that started then still exists; ``clear`` takes away what the run
        with this id left. It comes first: whoever is killed between the two leaves the run to the next sweep.
        """
        # A plain look first: nearly every start finds nothing, and then takes no lock.
        with failures.reported(self._path):
            found = self._opened().execute(_GOING_ON).fetchall()
        orphans = [row for row in found if not is_alive(row[1], row[2])]
        if not orphans:
            return []
        for run_id, _, _ in orphans:
            clear(run_id)
        with self._transaction(durable=True) as db:
            going_on = {row[0] for row in db.execute(_GOING_ON)}
            ended = [row for row in orphans if row[0] in going_on]
            for run_id, owner_pid, _ in ended:
                self._end(db, interrupted_result(db, run_id, owner_pid))
        return [row[0] for row in ended]

    def reserve(
        self, run_id: str, wallet: Wallet, bounds: tuple[Bound, ...], since: Since, share: Share
    ) -> tuple[tuple[Spent, ...], Cap | None]:
        """Let ``share`` decide what a run may have under its bounds, and write that down before anybody else can decide.

        Returns what the other runs have cost, and the decision.
        """
        with self._transaction(durable=True) as db:
            before = spending.spent(db, run_id, wallet, bounds, since)
            cap = share(before)
            if cap is not None:
                spending.hold(db, run_id, wallet, cap)
        return before, cap

    def limits(self, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
        """What was said of a provider's usage windows, the newest last. ``now`` is in seconds since 1970."""
        with failures.reported(self._path):
            return limits.seen(self._opened(), provider, now, simulated=simulated)

    def note_limits(self, provider: str, found: Sequence[LimitReading], *, simulated: bool) -> None:
        """Record what a provider said of its usage windows outside of any run."""
        with self._transaction(durable=False) as db:
            for limit in found:
                limits.note(db, provider, limit, simulated=simulated, overage=None)

    def live_session(self, project: str, cwd: str, wallet: Wallet, provider: str) -> Session | None:
        """The conversation that the next run of a project in this directory would continue."""
        with failures.reported(self._path):
            return sessions.live(self._opened(), project, self._entries.text(cwd), wallet, provider)

    def use_session(self, session: Session, run_id: str, replaces: EndReason) -> None:
        """Record that a run sends a message in ``session``; ``replaces`` is why any other one of its place has ended."""
        row = msgspec.structs.replace(session, cwd=self._entries.text(session.cwd))
        with self._transaction(durable=True) as db:
            sessions.use(db, row, run_id, replaces)

    def outcomes(self, candidate: Candidate, since: float) -> list[Outcome]:
        """The ends of a candidate since a moment in seconds since 1970, the newest last."""
        with failures.reported(self._path):
            return outcomes.since(self._opened(), candidate, since)

    def note_outcome(self, candidate: Candidate, outcome: Outcome) -> None:
        """Write down how a candidate did."""
        with self._transaction(durable=False) as db:
            outcomes.note(db, candidate, outcome)

    def exchanges(self, session_id: str) -> tuple[Exchange, ...]:
        """What was last said in a conversation, the latest at the end; nothing when no text is kept."""
        if not self._keep_text:
            return ()
        with failures.reported(self._path):
            return sessions.exchanges(self._opened(), session_id, _LAST_EXCHANGES)

    def end_sessions(self, project: str) -> list[Session]:
        """End every conversation of a project. Returns them as they are now."""
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
            "text": self._entries.content(result.text),
            "error_code": error and error.code,
            "error_message": error and self._entries.text(error.message),
            "wallet": receipt.wallet,
            "expected_wallet": receipt.expected_wallet,
            "verdict": receipt.verdict,
            "cost_usd": receipt.cost_usd,
            "equivalent_cost_usd": receipt.equivalent_cost_usd,
            "policy_tier": policy and policy.tier,
            "policy_rule": policy and policy.rule,
            "policy_pack": policy and policy.pack,
            "duration_ms": receipt.duration_ms,
            "result": self._entries.result(result),
        }
        if receipt.model is not None:
            row["model"] = self._entries.text(receipt.model)
        changed = db.execute(
            f"UPDATE runs SET {', '.join(f'{name} = :{name}' for name in row)} WHERE id = :id",  # noqa: S608 - names from above
            {**row, "id": result.run_id},
        ).rowcount
        if changed == 0:
            raise _never_begun(result.run_id)

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        with failures.reported(self._path):
            db = self._opened()
            # FULL waits for the disk, up to milliseconds; NORMAL leaves that to the system, for microseconds.
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:  # also Ctrl-C: an open transaction would block every other process
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._refuse_ghost()

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_ledger(self._path, self._busy_timeout_s)
            self._identity = _identity(self._path)
        return self._db

    def _refuse_ghost(self) -> None:
        # SQLite goes on writing to a file that was deleted under it, and what it holds is gone with the last connection.
        if _identity(self._path) != self._identity:
            raise failures.gone(self._path)


def _note_limit(db: sqlite3.Connection, run_id: str, event: LimitSeen) -> None:
    gate = gate_of(db, run_id)
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
        ErrorInfo(code="bug.ledger", message=f"A run ended that never began: `{run_id}`", whose_turn="bug")
    )
