"""Tells everybody who looks on at runs, in a thread: no observer can slow or break the run it looks at."""

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

_Who = TypeVar("_Who")
#: What may wait for observers that lag. Beyond this they hear of no further event: memory must not grow with a hung one.
_BACKLOG = 10_000
#: How long the end of a run waits for its observers, in seconds, so that a program that ends then has told them all.
_PATIENCE_S = 1.0


class Dispatcher:
    """The observers of an app. ``records`` is where it is said that one of them was dropped."""

    def __init__(self, observers: Sequence[Observer], records: EventLog) -> None:
        self._observers = tuple(observers)
        self._records = records

    def began(self, run_id: str, request: Request, provider: str) -> RunNotifier:
        """Tell them that a run begins; what it returns is told the rest. Call it in the event loop of the run."""
        if not self._observers:
            return _NOBODY
        at_ns = time.time_ns()

        def watch(observer: Observer) -> Watcher:
            return observer.watch(run_id, request, provider, at_ns)

        return _Telling(self._observers, watch, run_id, self._records)


class _Nobody:
    """Stands where nobody looks on, and costs nothing."""

    def saw(self, event: Event) -> None:
        """Nobody hears it."""

    async def ended(self, result: RunResult) -> None:
        """Nobody hears it."""


_NOBODY = _Nobody()


class _Telling:
    """Tells the observers of one run."""

    def __init__(
        self,
        observers: Sequence[Observer],
        watch: Callable[[Observer], Watcher],
        run_id: str,
        records: EventLog,
    ) -> None:
        self._run_id = run_id
        self._records = records
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Callable[[Watcher], None] | None] = SimpleQueue()
        self._all_told = asyncio.Event()
        # An observer finds the caller's context where it looks for it: the span of a trace that the run belongs to.
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run, args=(self._work, observers, watch), name="oneseat-observers", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # no room for one more: the run matters more
            self._all_told.set()

    def saw(self, event: Event) -> None:
        """Tell of an event that is kept; pieces of text on their way are nobody's business."""
        if event.durable and self._queue.qsize() < _BACKLOG:
            at_ns = time.time_ns()
            self._queue.put(lambda watcher: watcher.saw(event, at_ns))

    async def ended(self, result: RunResult) -> None:
        """Tell of the end, and wait a moment until everybody was told everything."""
        at_ns = time.time_ns()
        self._queue.put(lambda watcher: watcher.ended(result, at_ns))
        self._queue.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await self._all_told.wait()

    def _work(self, observers: Sequence[Observer], watch: Callable[[Observer], Watcher]) -> None:
        watchers: list[Watcher] = []
        for observer in observers:
            self._survives(observer, lambda each: watchers.append(watch(each)))
        while (tell := self._queue.get()) is not None:
            watchers = [each for each in watchers if self._survives(each, tell)]
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._all_told.set)

    def _survives(self, who: _Who, call: Callable[[_Who], None]) -> bool:
        """Whether a call came back as it should. One that did not is said in the log."""
        try:
            call(who)
        except Exception as error:  # noqa: BLE001 - whatever an observer does wrong, the run goes on
            with contextlib.suppress(Exception):  # the log may be the very observer that fails
                self._records.write(
                    logging.WARNING,
                    "observer_dropped",
                    "An observer failed and hears no more of this run",
                    run_id=self._run_id,
                    observer=type(who).__qualname__,
                    error=type(error).__name__,
                )
            return False
        return True
