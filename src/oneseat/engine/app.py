"""The callers' interface to runs: a context manager that yields events and always has a result."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Generic

import msgspec

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.events import Batch, Event, Failed, Finished
from oneseat.contract.ports import Provider, Providers, RunNotifier
from oneseat.contract.receipt import RunResult, T
from oneseat.contract.request import ApprovalCallback, Request
from oneseat.contract.routing import Candidate, RouteReport
from oneseat.contract.warm import WarmProcess
from oneseat.rules.routing import candidates as routing

from .channel import EventChannel
from .deps import RunDeps
from .flow import flow
from .record import RunRecord
from .route_report import explain

_CANCELLED = ErrorInfo(code="cancelled", message="The run was cancelled before it finished", whose_turn="you")
_NOT_ENTERED = ErrorInfo(
    code="usage.arguments",
    message="The run was not entered\n  it begins inside `async with`, which ends it too",
    hint="Enter it first: `async with app.stream(...) as stream:`, then `async for event in stream:`",
)
_ENTERED_TWICE = ErrorInfo(
    code="usage.arguments",
    message="The run was entered before\n  a stream is one run",
    hint="Make another one for another run: `app.stream(...)`",
)
_BUG = ErrorInfo(
    code="bug.unexpected",
    message="oneseat failed inside a run; everything received so far is kept",
    hint="Please report it with the output of `oneseat show RUN --events`",
    whose_turn="bug",
)


class RunStream(Generic[T]):
    """One run. ``async with app.stream(request) as run: async for event in run: ...``; afterwards ``run.result`` is set.

    Leaving early cancels the run and returns only when every process it started has ended; a task that is waiting for the next
    event is cancelled. Different tasks may open, read and leave the run.
    """

    def __init__(
        self, deps: RunDeps, request: Request[T], run_id: str, ask: ApprovalCallback | None = None
    ) -> None:
        self.run_id = run_id
        self.result: RunResult[T] | None = None
        self._deps = deps
        self._request = request
        self._ask = ask
        self._record = RunRecord(run_id, deps.provider.name, deps.provider.wallet, deps.clock)
        self._events: AsyncGenerator[Event, None] | None = None
        self._task: asyncio.Task[Batch] | None = None
        self._cancelled = False

    async def __aenter__(self) -> RunStream[T]:
        if self._events is not None:
            raise UsageError(_ENTERED_TWICE)
        self._events = self._read()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cancel()
        if inspect.isasyncgen(self._events) and not self._events.ag_running:
            await self._events.aclose()
        if self.result is None:
            # Left before the first event was requested: nothing was started, and nothing is in the ledger.
            self.result = self._record.result(_CANCELLED)

    def __aiter__(self) -> AsyncIterator[Event]:
        if self._events is None:
            raise UsageError(_NOT_ENTERED)
        return self._events

    async def _read(self) -> AsyncGenerator[Event, None]:
        """The events of the run, which starts when the first one is requested and does not outlive this generator."""
        deps = self._deps
        notifier = deps.telemetry.began(self.run_id, self._request, deps.provider.name)
        channel = EventChannel(deps.ledger, self._record, notifier)
        self._task = asyncio.create_task(self._run(channel, notifier), name=self.run_id)
        self._task.add_done_callback(channel.close)
        try:
            while (batch := await channel.take(self._task)) is not None:
                for event in batch:
                    yield event
        finally:
            await self._cancel()

    async def _cancel(self) -> None:
        """Cancel the run if it is active, and wait until all its processes have ended and its outcome is written."""
        if self._task is None or self._task.done():
            return
        if not self._cancelled:
            # Only once: a second cancellation would interrupt the cleanup.
            self._cancelled = True
            self._task.cancel()
        await uninterrupted(asyncio.wait({self._task}))

    async def _run(self, channel: EventChannel, notifier: RunNotifier) -> Batch:
        """Do the run. Returns its last events."""
        error: ErrorInfo | None = _BUG
        try:
            await flow(self._deps, self._request, self._record, channel, self._ask)
            error = None
        except OneseatError as failure:
            error = failure.info
        except (asyncio.CancelledError, KeyboardInterrupt):
            error = _CANCELLED
            raise
        finally:
            # A cancellation in between would leave the ledger without the outcome, or with another one than the caller's.
            last = await uninterrupted(self._end(notifier, error))
        return last

    async def _end(self, notifier: RunNotifier, error: ErrorInfo | None) -> Batch:
        leftovers = self._record.leftovers()
        result = await self._finish(leftovers, error)
        self.result = result
        for event in leftovers:
            notifier.saw(event)
        await notifier.ended(result)
        return (*leftovers, Finished(result=result) if result.error is None else Failed(result=result))

    async def _finish(self, leftovers: tuple[Event, ...], error: ErrorInfo | None) -> RunResult[T]:
        deps, record = self._deps, self._record
        result = self._in_words(record.result(error))
        try:
            for event in leftovers:
                await deps.ledger.record(self.run_id, event)
            if record.candidate.budget is not None and not record.cost_is_known:
                await record.candidate.budget.close_reservation(record.requests_sent())
            await deps.ledger.finish(result)
        except OneseatError as failure:
            # A run that is not in the ledger is not complete; the caller still gets the text.
            return self._in_words(record.result(result.error or failure.info))
        return result

    def _in_words(self, result: RunResult) -> RunResult:
        """The result with an error that names what its reader can type."""
        if result.error is None:
            return result
        return msgspec.structs.replace(result, error=self._deps.words(result.error))


class _WithConversation:
    """All providers; the one of ``candidate`` is ``held``, which keeps its conversation open."""

    def __init__(self, providers: Providers, held: Provider, candidate: Candidate) -> None:
        self._providers = providers
        self._held = held
        self._candidate = candidate

    def of(self, candidate: Candidate) -> Provider:
        """The provider of a candidate."""
        same = (candidate.provider, candidate.key) == (self._candidate.provider, self._candidate.key)
        return self._held if same else self._providers.of(candidate)


class App:
    """Does runs, also concurrently. It keeps no state between runs except its dependencies."""

    def __init__(self, deps: RunDeps, new_run_id: Callable[[], str]) -> None:
        self._deps = deps
        self._new_run_id = new_run_id

    @property
    def idle(self) -> tuple[WarmProcess, ...]:
        """The processes that were started in advance and wait for a run."""
        pool = self._deps.provider.warm_pool
        return pool.idle if pool is not None else ()

    async def idle_change(self) -> None:
        """Wait until ``idle`` has changed; for ever if no process is started in advance."""
        pool = self._deps.provider.warm_pool
        await (pool.change() if pool is not None else asyncio.Event().wait())

    @asynccontextmanager
    async def conversation(self, provider: str | None = None, key: str | None = None) -> AsyncIterator[App]:
        """One conversation: each run in it continues the one before, without waiting for a process to start.

        Each message is a run with its own receipt and its own billing check. Instructions, schema, tools and directory are
        those of the first message; a run that changes one fails with ``usage.conversation_changed``. The conversation uses
        ``provider`` or the API key named ``key``, by default the seat; its messages must name the same. Raises
        ``OneseatError`` for an unknown one.
        """
        deps, candidate = self._deps, self._candidate(provider, key)
        chosen = deps.provider if (provider, key) == (None, None) else deps.providers.of(candidate)
        async with chosen.conversation() as held:
            providers = _WithConversation(deps.providers, held, candidate)
            yield App(deps._replace(provider=held, providers=providers), self._new_run_id)

    def _candidate(self, provider: str | None, key: str | None) -> Candidate:
        if key is None:
            return Candidate(provider=provider or self._deps.provider.name)
        found = routing.candidates(Request(prompt="", cwd="", key=key), self._deps.routes)
        if isinstance(found, ErrorInfo):
            raise UsageError(found)
        return found[0]

    async def route(self, request: Request) -> RouteReport:
        """Who would serve a request now, and why not the others; nothing is sent.

        Raises ``UsageError`` for unknown names, and ``OneseatError`` for a request that the policy refuses.
        """
        return await explain(self._deps, request)

    def stream(
        self, request: Request[T], *, ask: ApprovalCallback | None = None, run_id: str | None = None
    ) -> RunStream[T]:
        """A run whose events can be read as they arrive. Nothing starts before the first event is requested.

        ``ask`` decides when the assistant wants a tool that its permissions do not cover; without it, the tool is denied.
        """
        return RunStream(self._deps, request, run_id or self._new_run_id(), ask)

    async def run(self, request: Request[T], *, ask: ApprovalCallback | None = None) -> RunResult[T]:
        """Run to the end and return the result, also of a failed run. ``ask`` is as for ``stream``."""
        async with self.stream(request, ask=ask) as stream:
            async for _ in stream:
                pass
        if stream.result is None:  # the context manager sets it on every path
            raise RuntimeError("a run ended without a result")
        return stream.result
