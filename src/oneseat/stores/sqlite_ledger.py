"""The ledger as the engine sees it: the ``Ledger`` port over one writing thread, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from oneseat.contract.budgets import Bound, Cap, Share, Since, Spent
from oneseat.contract.events import Event
from oneseat.contract.limits import SeenLimit
from oneseat.contract.policy import PolicyInputs, RecentActivity
from oneseat.contract.receipt import PolicyStamp, RunResult, Wallet
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, Outcome
from oneseat.contract.sessions import EndReason, Exchange, Session

from .entries import NOT_STORED
from .ledger_writer import LedgerWriter

_P = ParamSpec("_P")
_T = TypeVar("_T")


class SqliteLedger:
    """Runs in SQLite. Methods return when the file holds what they were given, in the order they were called."""

    def __init__(self, writer: LedgerWriter) -> None:
        self._writer = writer
        # One thread: SQLite has one writer at a time anyway, and the order of events is the order of calls.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oneseat-ledger")

    async def begin(self, run_id: str, request: Request, provider: str) -> None:
        """Record that a run exists. Raises ``UsageError`` when the ledger cannot be written."""
        await self._do(self._writer.begin, run_id, request, provider)

    async def decided(self, run_id: str, stamp: PolicyStamp, inputs: PolicyInputs) -> None:
        """Record what the policy said of a run. Raises ``UsageError`` when the ledger cannot be written."""
        await self._do(self._writer.decided, run_id, stamp, inputs)

    async def lately(self, provider: str, now: float, *, simulated: bool) -> RecentActivity:
        """What was asked of a seat lately. Raises ``UsageError`` when the ledger cannot be read."""
        return await self._do(self._writer.lately, provider, now, simulated=simulated)

    async def routed(
        self, run_id: str, provider: str, paid_from: str, key_name: str | None, used_usd: float
    ) -> None:
        """Record where a run goes next. Raises ``UsageError`` when the ledger cannot be written."""
        await self._do(self._writer.routed, run_id, provider, paid_from, key_name, used_usd)

    async def record(self, run_id: str, *events: Event) -> None:
        """Append events, all or none of them. Raises ``UsageError`` when the ledger cannot be written."""
        if any(not isinstance(event, NOT_STORED) for event in events):
            await self._do(self._writer.record, run_id, *events)

    async def finish(self, result: RunResult) -> None:
        """Record how a run ended. Raises ``UsageError`` when the ledger cannot be written."""
        await self._do(self._writer.finish, result)

    async def reserve(
        self, run_id: str, wallet: Wallet, bounds: tuple[Bound, ...], since: Since, share: Share
    ) -> tuple[tuple[Spent, ...], Cap | None]:
        """Reserve what a run may cost. Raises ``UsageError`` when the ledger cannot be written."""
        return await self._do(self._writer.reserve, run_id, wallet, bounds, since, share)

    async def limits(self, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
        """What was reported of usage windows. Raises ``UsageError`` when the ledger cannot be read."""
        return await self._do(self._writer.limits, provider, now, simulated=simulated)

    async def live_session(self, project: str, cwd: str, wallet: Wallet, provider: str) -> Session | None:
        """The conversation to continue. Raises ``UsageError`` when the ledger cannot be read."""
        return await self._do(self._writer.live_session, project, cwd, wallet, provider)

    async def use_session(self, session: Session, run_id: str, replaces: EndReason) -> None:
        """Record a message of a conversation. Raises ``UsageError`` when the ledger cannot be written."""
        await self._do(self._writer.use_session, session, run_id, replaces)

    async def exchanges(self, session_id: str) -> tuple[Exchange, ...]:
        """What was last said in a conversation. Raises ``UsageError`` when the ledger cannot be read."""
        return await self._do(self._writer.exchanges, session_id)

    async def outcomes(self, candidate: Candidate, since: float) -> list[Outcome]:
        """How a candidate has done. Raises ``UsageError`` when the ledger cannot be read."""
        return await self._do(self._writer.outcomes, candidate, since)

    async def note_outcome(self, candidate: Candidate, outcome: Outcome) -> None:
        """Record how a candidate did. Raises ``UsageError`` when the ledger cannot be written."""
        await self._do(self._writer.note_outcome, candidate, outcome)

    async def end_sessions(self, project: str) -> list[Session]:
        """End a project's conversations. Raises ``UsageError`` when the ledger cannot be written."""
        return await self._do(self._writer.end_sessions, project)

    async def sweep(self, is_alive: Callable[[int, float], bool], clear: Callable[[str], None]) -> list[str]:
        """End, as cancelled, every run whose owner is gone, after ``clear`` took away what it left.

        Raises ``UsageError`` when the ledger cannot be written.
        """
        return await self._do(self._writer.sweep, is_alive, clear)

    async def close(self) -> None:
        """Finish what was asked for, close the file and end the thread. The ledger cannot be used afterwards."""
        await self._do(self._writer.close)
        self._thread.shutdown()

    async def _do(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        job = self._thread.submit(function, *args, **kwargs)
        # Shielded: Ctrl-C while the write waits for its turn must not leave the end of a run unwritten.
        return await asyncio.shield(asyncio.wrap_future(job))
