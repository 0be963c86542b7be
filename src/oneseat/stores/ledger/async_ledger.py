"""The ledger's ports for the engine, on one writing thread, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.events import Event
from oneseat.contract.ports import LiveRuns
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request

from .serialise import TRANSIENT
from .writer import LedgerWriter

P = ParamSpec("P")
T = TypeVar("T")

_CLOSED = ErrorInfo(
    code="usage.arguments",
    message="The app was closed\n  a run needs its ledger, which is open inside `async with oneseat.connect()` only",
    hint="Start the run inside that block: `async with oneseat.connect() as app:`",
)


def _on_thread(
    method: Callable[Concatenate[LedgerWriter, P], T],
) -> Callable[Concatenate[AsyncLedger, P], Coroutine[Any, Any, T]]:
    """The coroutine method that calls ``method`` on the writing thread, with the same parameters."""

    @functools.wraps(method)
    async def call(ledger: AsyncLedger, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await ledger.do(method, *args, **kwargs)

    return call


class AsyncLedger:
    """Implements ``Ledger``, ``RunHistory``, ``LimitHistory``, ``Outcomes``, ``Sessions`` and ``Spending``.

    Calls are executed in order, and return when the file holds what they were given. They raise what the writer raises.
    A run is held in ``live`` as long as the file says that it goes on, so that no other process takes it for dead.
    """

    def __init__(self, writer: LedgerWriter, live: LiveRuns) -> None:
        self._writer = writer
        self._live = live
        # One thread: SQLite has one writer at a time anyway, and the order of events is the order of calls.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="oneseat-ledger")

    async def do(
        self, method: Callable[Concatenate[LedgerWriter, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a method of the writer on its thread. Raises ``UsageError`` once the ledger was closed."""
        try:
            job = self._thread.submit(method, self._writer, *args, **kwargs)
        except RuntimeError:
            raise UsageError(_CLOSED) from None
        # Shielded: Ctrl-C while a write waits for its turn must not leave the end of a run unwritten.
        return await asyncio.shield(asyncio.wrap_future(job))

    async def begin(self, run_id: str, request: Request, provider: str) -> None:
        """Record that a run exists. Raises ``UsageError`` when the folder or the ledger cannot be written."""

        def begun(writer: LedgerWriter) -> None:
            self._live.hold(run_id)
            try:
                writer.begin(run_id, request, provider)
            except BaseException:  # whatever it was, the file has no such run
                self._live.release(run_id)
                raise

        await self.do(begun)

    async def finish(self, result: RunResult) -> None:
        """Record how a run ended. Raises ``UsageError`` when the ledger cannot be written; the next start then ends the run."""

        def finished(writer: LedgerWriter) -> None:
            try:
                writer.finish(result)
            finally:
                self._live.release(result.run_id)

        await self.do(finished)

    async def record(self, run_id: str, *events: Event) -> None:
        """Append events, all or none of them. Raises ``UsageError`` when the ledger cannot be written."""
        # Most events of an answer are pieces of text, which are not stored: they need not wait for the thread.
        if any(not isinstance(event, TRANSIENT) for event in events):
            await self.do(LedgerWriter.record, run_id, *events)

    decided = _on_thread(LedgerWriter.decided)
    routed = _on_thread(LedgerWriter.routed)
    reserve = _on_thread(LedgerWriter.reserve)
    recent_activity = _on_thread(LedgerWriter.recent_activity)
    limits = _on_thread(LedgerWriter.limits)
    live_session = _on_thread(LedgerWriter.live_session)
    use_session = _on_thread(LedgerWriter.use_session)
    end_sessions = _on_thread(LedgerWriter.end_sessions)
    exchanges = _on_thread(LedgerWriter.exchanges)
    outcomes = _on_thread(LedgerWriter.outcomes)
    note_outcome = _on_thread(LedgerWriter.note_outcome)

    async def close(self) -> None:
        """Complete the calls so far, close the file and end the thread. The ledger cannot be used afterwards."""
        await self.do(LedgerWriter.close)
        self._thread.shutdown()
        self._live.release_all()
