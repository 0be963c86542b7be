"""A long-running program that runs a prompt through oneseat for each line on stdin; `warm`, `conversation` or `many`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import psutil

import oneseat
from oneseat import events

#: A process has booted when it is this old, in seconds, and uses no more than this share of a processor.
_BOOTED_S, _IDLE_SHARE = 3.0, 0.02


async def timed(app: oneseat.App) -> dict[str, float]:
    """Time one run: to the cleared billing gate, to the first text and to the result, in milliseconds."""
    began = time.perf_counter()
    found: dict[str, float] = {}
    async with app.stream(oneseat.make_request("capital?")) as run:
        async for event in run:
            passed = (time.perf_counter() - began) * 1000
            if isinstance(event, events.WalletVerified):
                found["gate_ms"] = passed
            elif isinstance(event, events.TextDelta):
                found.setdefault("first_ms", passed)
    found["result_ms"] = (time.perf_counter() - began) * 1000
    assert run.result is not None
    assert run.result.receipt.verdict == "verified", run.result
    return found


async def settled(app: oneseat.App, size: int) -> None:
    """Wait until the expected processes are waiting and have booted."""
    while len(app.idle) < size or not await booted(app):  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.1)


async def booted(app: oneseat.App) -> bool:
    """Whether the waiting processes are idle. If one ends meanwhile, its replacement has to be waited for."""
    try:
        processes = [psutil.Process(idle.pid) for idle in app.idle]
        for process in processes:
            process.cpu_percent()
        await asyncio.sleep(0.3)
        quiet = all(process.cpu_percent() / 100 <= _IDLE_SHARE for process in processes)
        return quiet and all(idle.age_s >= _BOOTED_S for idle in app.idle)
    except psutil.NoSuchProcess:
        return False


async def many(app: oneseat.App, runs: int, side_by_side: int) -> dict[str, float]:
    """Do independent runs, that many at a time: returns runs per second, and the final memory of all processes in bytes."""
    left = iter(range(runs))

    async def worker() -> None:
        for _ in left:
            await timed(app)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(side_by_side)))
    return {"runs_per_s": runs / (time.perf_counter() - began)}


def memory(app: oneseat.App) -> Mapping[str, float]:
    """The memory of one waiting process in megabytes: resident, and proportional (shared pages divided by their users)."""
    found = [psutil.Process(idle.pid).memory_full_info() for idle in app.idle]
    return {"rss_mb": found[0].rss / 1e6, "pss_mb": found[0].pss / 1e6} if found else {}


async def serve(app: oneseat.App, size: int) -> None:
    """Answer each line on stdin with one of JSON."""
    while True:
        await settled(app, size)
        print(json.dumps({"ready": True, **memory(app)}), flush=True)
        words = (await asyncio.to_thread(sys.stdin.readline)).split()
        if not words:
            return
        answer: Any = await timed(app) if words == ["one"] else await many(app, int(words[1]), int(words[2]))
        print(json.dumps(answer), flush=True)


async def main() -> None:
    """Open the app in the given mode."""
    mode, size = sys.argv[1], int(sys.argv[2])
    async with oneseat.connect(warm=size) as app:
        if mode == "conversation":
            async with app.conversation() as talk:
                await timed(talk)
                await serve(talk, 0)
        else:
            await serve(app, size)


asyncio.run(main())
