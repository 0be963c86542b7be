"""The same through claude-agent-sdk: `query` starts a CLI for each prompt, `client` keeps one and continues its conversation."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, StreamEvent, query

OPTIONS = ClaudeAgentOptions(cli_path=os.environ["BENCH_CLAUDE"], include_partial_messages=True)


async def timed(messages: AsyncIterator[Any], began: float) -> dict[str, float]:
    """Time to the first text and to the result, in milliseconds."""
    found: dict[str, float] = {}
    async for message in messages:
        if isinstance(message, StreamEvent) and message.event.get("type") == "content_block_delta":
            found.setdefault("first_ms", (time.perf_counter() - began) * 1000)
    found["result_ms"] = (time.perf_counter() - began) * 1000
    return found


async def one(client: ClaudeSDKClient | None) -> dict[str, float]:
    """One prompt."""
    began = time.perf_counter()
    if client is None:
        return await timed(query(prompt="capital?", options=OPTIONS), began)
    await client.query("capital?")
    return await timed(client.receive_response(), began)


async def many(runs: int, side_by_side: int) -> dict[str, float]:
    """Send independent prompts, that many at a time."""
    left = iter(range(runs))

    async def worker() -> None:
        for _ in left:
            await one(None)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(side_by_side)))
    return {"runs_per_s": runs / (time.perf_counter() - began)}


async def main() -> None:
    """Answer each line on stdin with one of JSON."""
    async with AsyncExitStack() as stack:
        client = None
        if sys.argv[1] == "client":
            client = await stack.enter_async_context(ClaudeSDKClient(OPTIONS))
            await one(client)
        while True:
            print(json.dumps({"ready": True}), flush=True)
            words = (await asyncio.to_thread(sys.stdin.readline)).split()
            if not words:
                return
            answer = await one(client) if words == ["one"] else await many(int(words[1]), int(words[2]))
            print(json.dumps(answer), flush=True)


asyncio.run(main())
