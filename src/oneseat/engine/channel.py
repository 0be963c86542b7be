"""Passes the events of a run to its reader: written to the ledger first, and no faster than they are read."""

from __future__ import annotations

import asyncio

from oneseat.contract.events import Batch, Event
from oneseat.contract.ports import Ledger, RunNotifier

from .record import RunRecord


class EventChannel:
    """Connects the task that does a run with the reader of its events, one batch at a time."""

    def __init__(self, ledger: Ledger, record: RunRecord, notifier: RunNotifier) -> None:
        self._ledger = ledger
        self._record = record
        self._notifier = notifier
        self._next: asyncio.Future[Batch | None] | None = None
        self._resumed: asyncio.Future[None] | None = None

    async def emit(self, *batch: Event) -> None:
        """Count events that oneseat itself creates, write them and pass them to the reader."""
        self._record.add(*batch)
        await self.write(batch)
        await self.hand_over(batch)

    async def write(self, batch: Batch) -> None:
        """Write the durable events of a batch at once. Raises ``UsageError`` when the ledger cannot be written."""
        durable = [event for event in batch if event.durable]
        if durable:
            await self._ledger.record(self._record.run_id, *durable)

    async def hand_over(self, batch: Batch) -> None:
        """Pass a written batch to the reader. Returns when the reader wants the next one."""
        for event in batch:
            if event.durable:
                self._notifier.saw(event)
        self._resumed = asyncio.get_running_loop().create_future()
        self._give(batch)
        await self._resumed

    async def take(self, run: asyncio.Task[Batch]) -> Batch | None:
        """The next batch of the task ``run``, finally the batch that it returns; ``None`` after that.

        Raises the task's exception, and ``CancelledError`` when it was cancelled.
        """
        if run.done():
            return None
        self._next = asyncio.get_running_loop().create_future()
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)
        return await self._next

    def close(self, run: asyncio.Task[Batch]) -> None:
        """Wake the waiting reader once the task is done."""
        error = None if run.cancelled() else run.exception()
        if error is None and not run.cancelled():
            self._give(run.result())
        elif self._next is not None and not self._next.done():
            if isinstance(error, Exception):
                self._next.set_exception(error)
            else:
                self._next.cancel()

    def _give(self, batch: Batch) -> None:
        # If the reader was cancelled, its future is done; the run is about to be cancelled too.
        if self._next is not None and not self._next.done():
            self._next.set_result(batch)
