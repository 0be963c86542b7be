"""Hands the events of a run to its reader, written before they are read, and never ahead of the reader."""

from __future__ import annotations

import asyncio

from oneseat.contract.events import Batch, Event
from oneseat.contract.ports import Ledger, Told

from .record import RunRecord


class EventChannel:
    """Between the task that does a run and the reader of its events: one batch at a time."""

    def __init__(self, ledger: Ledger, record: RunRecord) -> None:
        self._ledger = ledger
        self._record = record
        self._notifier: Told | None = None
        self._next: asyncio.Future[Batch | None] | None = None
        self._resumed: asyncio.Future[None] | None = None

    def begin(self, notifier: Told) -> None:
        """From now on tell ``notifier`` of what is handed over."""
        self._notifier = notifier

    async def emit(self, *batch: Event) -> None:
        """Count events of oneseat's own, write them and hand them over."""
        self._record.add(*batch)
        await self.write(batch)
        await self.hand_over(batch)

    async def write(self, batch: Batch) -> None:
        """Write what is kept of a batch, all of it at once. Raises ``UsageError`` when the ledger cannot be written."""
        durable = [event for event in batch if event.durable]
        if durable:
            await self._ledger.record(self._record.run_id, *durable)

    async def hand_over(self, batch: Batch) -> None:
        """Give the reader a batch that is written. Returns when the reader asks for more."""
        if self._notifier is not None:
            for event in batch:
                if event.durable:
                    self._notifier.saw(event)
        self._resumed = asyncio.get_running_loop().create_future()
        # The future of a reader that was cancelled is done; the run is about to be cancelled too.
        if self._next is not None and not self._next.done():
            self._next.set_result(batch)
        await self._resumed

    def hand_over_last(self, batch: Batch) -> None:
        """Give the reader the last batch. The run's task ends with this."""
        if self._next is not None and not self._next.done():
            self._next.set_result(batch)

    async def take(self, run: asyncio.Task[None]) -> Batch | None:
        """The next batch of the task ``run``; ``None`` after the last one.

        Raises what the task raised, and ``CancelledError`` when it was cancelled.
        """
        if run.done():
            return None
        self._next = asyncio.get_running_loop().create_future()
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        return await self._next

    def close(self, run: asyncio.Task[None]) -> None:
        """The task is done: wake a reader that still waits for it."""
        error = None if run.cancelled() else run.exception()
        if self._next is None or self._next.done():
            return
        if isinstance(error, Exception):
            self._next.set_exception(error)
        else:
            self._next.cancel()
