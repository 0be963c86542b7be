"""The queue between a draining thread and the event loop: order, memory bound, full disk."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.host.processes.byte_queue import ByteQueue


def _fill(queue: ByteQueue, chunks: list[bytes]) -> threading.Thread:
    def work() -> None:
        for chunk in chunks:
            queue.put(chunk)
        queue.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


async def _drain(queue: ByteQueue) -> bytes:
    parts = []
    while part := await queue.take():
        parts.append(part)
    return b"".join(parts)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=30), st.integers(0, 100))
def test_order_is_kept_whatever_spills(chunks: list[bytes], limit: int) -> None:
    async def body() -> None:
        queue = ByteQueue(asyncio.get_running_loop(), memory_limit=limit)
        thread = _fill(queue, chunks)
        assert await _drain(queue) == b"".join(chunks)
        thread.join()

    asyncio.run(body())


async def test_a_reader_that_comes_late_finds_everything_and_memory_stays_bounded() -> None:
    queue = ByteQueue(asyncio.get_running_loop(), memory_limit=1_000_000)
    chunk = bytes(range(256)) * 1024
    thread = _fill(queue, [chunk] * 200)
    await asyncio.to_thread(thread.join)
    assert queue._head_bytes <= 1_000_000
    assert await _drain(queue) == chunk * 200


def _always_full(**_: str) -> IO[bytes]:
    return Path("/dev/full").open("r+b", buffering=0)


async def test_a_full_disk_costs_memory_and_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel's own always-full device stands in for a full disk.
    monkeypatch.setattr("oneseat.host.processes.byte_queue.TemporaryFile", _always_full)
    queue = ByteQueue(asyncio.get_running_loop(), memory_limit=10)
    thread = _fill(queue, [b"0123456789", b"abcdefghij", b"ABCDEFGHIJ"])
    await asyncio.to_thread(thread.join)
    assert await _drain(queue) == b"0123456789abcdefghijABCDEFGHIJ"


async def test_take_waits_for_the_next_chunk() -> None:
    queue = ByteQueue(asyncio.get_running_loop(), memory_limit=100)
    taking = asyncio.ensure_future(queue.take())
    await asyncio.to_thread(queue.put, b"late")
    assert await taking == b"late"
    await asyncio.to_thread(queue.close)
    assert await queue.take() == b""
