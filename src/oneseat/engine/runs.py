"""Runs as callers hold them: a context manager that yields events and always knows its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.events import Batch, Event, Failed, Finished
from oneseat.contract.permission import Asker
from oneseat.contract.pool import IdleProcess
from oneseat.contract.ports import Provider, Providers, Told
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request
from oneseat.contract.routes import Candidate, RouteReport
from oneseat.rules import routing

from .explanation import explain
from .parts import Parts
from .record import RunRecord
from .spending import cut_off
from .spine import flow

_CANCELLED = ErrorInfo(code="cancelled", message="The run was cancelled before it finished", whose_turn="you")
_BUG = ErrorInfo(
    code="bug.unexpected",
    message="oneseat failed inside a run; everything received so far is kept",
    hint="Please report it with the output of `oneseat show RUN --events`",
    whose_turn="bug",
)


class RunStream:
    """One run. ``async with app.stream(request) as run: async for event in run: ...``; afterwards ``run.result`` is set.

    Leaving early cancels the run and returns only when every process it started is gone; a task that waits for its next event
    meanwhile is cancelled. Opening, reading and leaving may be done by different tasks.
    """

    def __init__(self, parts: Parts, request: Request, run_id: str, ask: Asker | None = None) -> None:
        self.run_id = run_id
        self.result: RunResult | None = None
        self._parts = parts
        self._request = request
        self._ask = ask
        self._record = RunRecord(run_id, parts.provider.name, parts.provider.wallet, parts.clock)
        self._events: AsyncGenerator[Event, None] | None = None
        self._last: tuple[Event, ...] = ()
        self._reader: asyncio.Task[object] | None = None
        self._over = asyncio.Event()

    async def __aenter__(self) -> RunStream:
        self._events = self._run()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._events is not None:
            if self._reader is not None:
                # Another task waits for the next event, and meanwhile nobody can close what it waits for.
                self._reader.cancel()
                await self._over.wait()
            await self._events.aclose()
        if self.result is None:
            # Left before the first event was asked for: nothing was started, and the ledger need not know.
            self.result = self._record.settle(_CANCELLED)

    def __aiter__(self) -> AsyncIterator[Event]:
        if self._events is None:
            raise RuntimeError("use `async with` before iterating over a run")
        return self._events

    async def _run(self) -> AsyncGenerator[Event, None]:
        self._reader = asyncio.current_task()
        error: ErrorInfo | None = _BUG
        told = self._parts.audience.began(self.run_id, self._request, self._parts.provider.name)
        stations = flow(self._parts, self._request, self._record, self._ask)
        try:
            async for batch in stations:
                self._reader = None
                for event in batch:
                    told.saw(event)
                    yield event
                self._reader = asyncio.current_task()
            error = None
        except OneseatError as failure:
            error = failure.info
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt):
            error = _CANCELLED
            raise
        finally:
            # Runs on every path, also when this task is cancelled: the child is gone and the end is written before it returns.
            # In one piece: a cancellation between two of them would leave the ledger without the end, or the caller with another.
            try:
                result = await uninterrupted(self._end(stations, told, error))
            finally:
                self._reader = None
                self._over.set()
        for event in self._last:
            yield event
        yield Finished(result=result) if result.error is None else Failed(result=result)

    async def _end(
        self, stations: AsyncGenerator[Batch, None], told: Told, error: ErrorInfo | None
    ) -> RunResult:
        await stations.aclose()
        self.result = await self._finish(error)
        for event in self._last:
            told.saw(event)
        await told.ended(self.result)
        return self.result

    async def _finish(self, error: ErrorInfo | None) -> RunResult:
        result = self._record.settle(error)
        self._last = self._record.leftovers()
        try:
            for event in self._last:
                await self._parts.ledger.record(self.run_id, event)
            await cut_off(self._parts.purse, self._record)
            await self._parts.ledger.finish(result)
        except OneseatError as failure:
            # What the ledger denies did not complete; the text stays with the caller all the same.
            return self._record.settle(result.error or failure.info)
        return result


class _Held:
    """All providers, of which the one of ``whose`` holds a conversation."""

    def __init__(self, providers: Providers, held: Provider, whose: Candidate) -> None:
        self._providers = providers
        self._held = held
        self._whose = whose

    def of(self, candidate: Candidate) -> Provider:
        """The provider of a candidate."""
        same = (candidate.provider, candidate.key) == (self._whose.provider, self._whose.key)
        return self._held if same else self._providers.of(candidate)


class App:
    """Runs requests. Holds no state between runs beyond its parts, so several runs may go on side by side."""

    def __init__(self, parts: Parts, new_run_id: Callable[[], str]) -> None:
        self._parts = parts
        self._new_run_id = new_run_id

    @property
    def idle(self) -> tuple[IdleProcess, ...]:
        """The processes that were started ahead and wait for a run."""
        return self._parts.provider.idle

    async def idle_change(self) -> None:
        """Wait until ``idle`` has changed; for ever where nothing is started ahead."""
        await self._parts.provider.idle_change()

    @asynccontextmanager
    async def conversation(self, provider: str | None = None, key: str | None = None) -> AsyncIterator[App]:
        """One conversation: what runs in it goes on where the run before has ended, without waiting for a process to start.

        Each message is a run with a receipt of its own, and who pays is checked anew. Instructions, schema, tools and
        directory are those of the first message; a run that changes one ends with ``usage.conversation_changed``. ``provider``
        or the API key named ``key`` holds it, the seat by default; its messages name the same. Raises ``OneseatError`` for one
        that is not there.
        """
        whose = self._candidate(provider, key)
        seat = self._parts.provider if (provider, key) == (None, None) else self._parts.providers.of(whose)
        async with seat.held() as held:
            providers = _Held(self._parts.providers, held, whose)
            yield App(self._parts._replace(provider=held, providers=providers), self._new_run_id)

    def _candidate(self, provider: str | None, key: str | None) -> Candidate:
        if key is None:
            return Candidate(provider=provider or self._parts.provider.name)
        found = routing.candidates(Request(prompt="", cwd="", key=key), self._parts.routes)
        if isinstance(found, ErrorInfo):
            raise UsageError(found)
        return found[0]

    async def route(self, request: Request) -> RouteReport:
        """Who would serve a request now, and why not the others; nothing is sent. Raises ``OneseatError`` for unknown names."""
        return await explain(self._parts, request)

    def stream(self, request: Request, *, ask: Asker | None = None, run_id: str | None = None) -> RunStream:
        """A run whose events are read as they come. Nothing starts before the first event is asked for.

        ``ask`` answers when the assistant wants a tool that its permissions do not cover; without it the answer is no.
        """
        return RunStream(self._parts, request, run_id or self._new_run_id(), ask)

    async def run(self, request: Request, *, ask: Asker | None = None) -> RunResult:
        """Run to the end and return the result, whatever it is: look at ``status`` and ``error``. ``ask`` as for ``stream``."""
        async with self.stream(request, ask=ask) as stream:
            async for _ in stream:
                pass
        if stream.result is None:  # the context manager sets it on every path
            raise RuntimeError("a run ended without a result")
        return stream.result
