"""Stop a run that takes too long. When it is stopped, every process of it is gone and the ledger has its end.

python examples/cancel_run.py 5 "Count to a million"
"""

from __future__ import annotations

import asyncio
import sys

import oneseat
from oneseat import events


async def main(seconds: float, prompt: str) -> None:
    """Print what was written within ``seconds``."""
    async with oneseat.connect() as app, app.stream(prompt) as stream:
        try:
            async with asyncio.timeout(seconds):
                async for event in stream:
                    if isinstance(event, events.TextDelta):
                        print(event.text, end="", flush=True)
        except TimeoutError:
            print("\nstopping")
    if stream.result is not None:
        print(f"{stream.result.status}: {stream.result.text!r}")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), " ".join(sys.argv[2:])))
