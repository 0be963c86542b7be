"""Standard output that never blocks the run behind it, and notices when its reader goes away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable

from oneseat.cli.output import can_be_left

#: Bytes that may wait for a slow reader before the run waits too.
_BACKLOG = 1024 * 1024


class Sink:
    """Writes bytes to a file descriptor from a thread of its own.

    ``on_gone`` is called once, in the event loop, when nobody reads any more: a vanished reader must not go on spending.
    """

    def __init__(self, descriptor: int, on_gone: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._pending = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._gone = False
        self._failure: OSError | None = None
        self._finished = asyncio.Event()
        # A daemon thread: if the reader never reads again, it must not keep the process from ending.
        threading.Thread(target=self._work, name="oneseat-stdout", daemon=True).start()
        self._watched = self._watch()

    @property
    def gone(self) -> bool:
        """Whether the reader has gone away."""
        return self._gone

    @property
    def failure(self) -> OSError | None:
        """Why the output could not be written, where the reason is another than a reader that left."""
        return self._failure

    async def write(self, data: bytes) -> None:
        """Queue ``data``; waits only when more than 1 MiB is unread."""
        if self._gone:
            return
        self._pending += len(data)
        self._drained.clear()
        self._empty.clear()
        self._queue.put(data)
        if self._pending > _BACKLOG:
            await self._drained.wait()

    async def flush(self) -> None:
        """Wait until all of it is written. Without this, what stderr says next could appear in the middle of it."""
        await self._empty.wait()

    async def close(self) -> None:
        """Write what is queued, then stop."""
        if self._watched:
            self._loop.remove_reader(self._descriptor)
            self._watched = False
        self._queue.put(None)
        if not self._gone:
            await self._finished.wait()

    def _watch(self) -> bool:
        # On a pipe or socket, the write end becomes "readable" only when the other side has closed it.
        if not can_be_left(self._descriptor):
            return False
        with contextlib.suppress(OSError, NotImplementedError):
            self._loop.add_reader(self._descriptor, self._reader_left)
            return True
        return False

    def _reader_left(self) -> None:
        if self._watched:
            self._loop.remove_reader(self._descriptor)
            self._watched = False
        if not self._gone:
            self._gone = True
            self._drained.set()
            self._empty.set()
            self._finished.set()
            self._on_gone()

    def _work(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                self._tell(self._broken, error)
                return
            self._tell(self._written, len(data))
        self._tell(self._finished.set)

    def _broken(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self._failure = error
        self._reader_left()

    def _written(self, size: int) -> None:
        self._pending -= size
        if self._pending <= _BACKLOG // 2:
            self._drained.set()
        if self._pending == 0:
            self._empty.set()

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
            self._loop.call_soon_threadsafe(callback, *arguments)
