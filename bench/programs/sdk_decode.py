"""Read a whole stream through claude-agent-sdk and report the time."""

from __future__ import annotations

import asyncio
import json
import os
import time

from claude_agent_sdk import ClaudeAgentOptions, query


async def main() -> None:
    """Count from the first message to the last."""
    options = ClaudeAgentOptions(cli_path=os.environ["BENCH_CLAUDE"], include_partial_messages=True)
    count, first = 0, 0.0
    async for _ in query(prompt="go", options=options):
        first = first or time.perf_counter()
        count += 1
    print(json.dumps({"events": count, "wall_s": time.perf_counter() - first}))


asyncio.run(main())
