"""A stream whose items come without a pause: it fills no memory, and other tasks go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from oneseat.providers.api.stream import CancellableStream, StoppedError


class _Flood:
    """Items that are always there at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.sent = 0

    async def items(self) -> AsyncIterator[int]:
        while self.sent < self.size:
            self.sent += 1
            yield self.sent


def test_a_flood_waits_for_its_reader_and_comes_whole() -> None:
    async def go() -> list[int]:
        stream = CancellableStream(flood.items())
        await asyncio.sleep(0)
        assert flood.sent == 10_000
        return [item async for item in stream.items()]

    flood = _Flood(25_000)
    assert asyncio.run(go()) == list(range(1, 25_001))


def test_a_flood_without_end_can_be_stopped() -> None:
    async def go() -> None:
        stream = CancellableStream(_Flood(10**9).items())
        items = stream.items()
        assert await anext(items) == 1
        await stream.stop()
        with pytest.raises(StoppedError):
            async for _ in items:
                pass

    asyncio.run(go())
