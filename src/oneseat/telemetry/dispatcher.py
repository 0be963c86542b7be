"""Passes the events of runs to observers, in a thread, so that no observer can delay or break a run."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

from oneseat.contract.events import Event
from oneseat.contract.ports import Observer, RunNotifier, Watcher
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request

from .records import EventLog

_Target = TypeVar("_Target")
#: How many events may be queued for slow observers. Further events are dropped, as a hung observer would otherwise fill memory.
_BACKLOG = 10_000
#: How long the end of a run waits for its observers, in seconds, so that a program that exits right after it loses no event.
_WAIT_S = 1.0


class Dispatcher:
    """The observers of an app. ``log`` gets a record when one of them is dropped."""

    def __init__(self, observers: Sequence[Observer], log: EventLog) -> None:
        self._observers = tuple(observers)
        self._log = log

    def began(self, run_id: str, request: Request, provider: str) -> RunNotifier:
        """Tell the observers that a run has started. Call it in the run's event loop; pass the run's events to the result."""
        if not self._observers:
            return _NO_OBSERVERS
        at_ns = time.time_ns()

        def watch(observer: Observer) -> Watcher:
            return observer.watch(run_id, request, provider, at_ns)

        return _Notifier(self._observers, watch, run_id, self._log)


class _NoObservers:
    """The notifier of a run without observers."""

    def saw(self, event: Event) -> None:
        """Do nothing."""

    async def ended(self, result: RunResult) -> None:
        """Do nothing."""


_NO_OBSERVERS = _NoObservers()


class _Notifier:
    """Passes the events of one run to its observers."""

    def __init__(
        self,
        observers: Sequence[Observer],
        watch: Callable[[Observer], Watcher],
        run_id: str,
        log: EventLog,
    ) -> None:
        self._run_id = run_id
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Callable[[Watcher], None] | None] = SimpleQueue()
        self._done = asyncio.Event()
        # Observers run in the caller's context, which holds the trace span that the run belongs to.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._work, observers, watch), name="oneseat-observers", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no thread can be started: run without observers
            self._done.set()

    def saw(self, event: Event) -> None:
        """Queue a durable event; partial text is not passed on."""
        if event.durable and self._queue.qsize() < _BACKLOG:
            at_ns = time.time_ns()
            self._queue.put(lambda watcher: watcher.saw(event, at_ns))

    async def ended(self, result: RunResult) -> None:
        """Queue the end, and wait a moment for the observers to catch up."""
        at_ns = time.time_ns()
        self._queue.put(lambda watcher: watcher.ended(result, at_ns))
        self._queue.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                await self._done.wait()

    def _work(self, observers: Sequence[Observer], watch: Callable[[Observer], Watcher]) -> None:
        watchers: list[Watcher] = []
        for observer in observers:
            self._survives(observer, lambda each: watchers.append(watch(each)))
        while (call := self._queue.get()) is not None:
            watchers = [each for each in watchers if self._survives(each, call)]
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits for this
            self._loop.call_soon_threadsafe(self._done.set)

    def _survives(self, target: _Target, call: Callable[[_Target], None]) -> bool:
        """Whether a call returned without an exception; log one that did not."""
        try:
            call(target)
        except Exception as error:  # noqa: BLE001 - an observer that fails must not stop the run
            with contextlib.suppress(Exception):  # the failing observer may be the log itself
                self._log.write(
                    logging.WARNING,
                    "observer_dropped",
                    "An observer failed and gets no more events of this run",
                    run_id=self._run_id,
                    observer=type(target).__qualname__,
                    error=type(error).__name__,
                )
            return False
        return True
