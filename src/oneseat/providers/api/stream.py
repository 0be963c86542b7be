"""Reads a stream in a separate task, so that any other task can stop it at once."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
#: A server that sends without a pause would otherwise fill the memory, and let no other task run.
_MOST_AHEAD = 10_000


class StoppedError(Exception):
    """Raised to the reader of a stream that was stopped."""


class CancellableStream(Generic[T]):
    """Starts to read ``stream`` at once. The SDKs require that the task which entered a stream also exits it; ``stop`` does so."""

    def __init__(self, stream: AsyncIterator[T]) -> None:
        self._stream = stream
        self._items: collections.deque[T] = collections.deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())
        self._task.add_done_callback(lambda _: self._news.set())

    async def items(self) -> AsyncIterator[T]:
        """The items of the stream. Raises what the stream raises, and ``StoppedError``."""
        while True:
            while self._items:
                yield self._items.popleft()
            if self._task.done():
                if self._task.cancelled():
                    raise StoppedError
                self._task.result()
                return
            self._news.clear()
            self._room.set()
            if not self._items and not self._task.done():
                await self._news.wait()

    async def stop(self) -> None:
        """Stop reading and close the stream. Never raises."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # retrieve it, or the event loop would log it

    async def _read(self) -> None:
        async with aclosing(cast("Any", self._stream)) as stream:
            async for item in stream:
                self._items.append(item)
                self._news.set()
                if len(self._items) >= _MOST_AHEAD:
                    self._room.clear()
                    await self._room.wait()
