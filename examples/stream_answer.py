"""Print an answer while it is written.

python examples/stream_answer.py "Tell me a story"
"""

from __future__ import annotations

import asyncio
import sys

import oneseat
from oneseat import events


async def main(prompt: str) -> None:
    """Print each piece of text as it comes, and at the end how the run went."""
    async with oneseat.connect() as app, app.stream(prompt) as stream:
        async for event in stream:
            match event:
                case events.TextDelta():
                    print(event.text, end="", flush=True)
                case events.ToolCall():
                    print(f"[{event.name}]", end="", flush=True)
    if stream.result is not None:
        print(f"\n{stream.result.status}, {stream.result.receipt.duration_ms} ms")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "Say hello"))
