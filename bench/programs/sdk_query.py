"""One prompt through claude-agent-sdk, as in its own documentation."""

from __future__ import annotations

import asyncio
import os
import sys

from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, TextBlock, query


async def main() -> None:
    """Print the text of the answer."""
    options = ClaudeAgentOptions(cli_path=os.environ["BENCH_CLAUDE"])
    async for message in query(prompt=sys.argv[1], options=options):
        if isinstance(message, AssistantMessage):
            print("".join(block.text for block in message.content if isinstance(block, TextBlock)))


asyncio.run(main())
