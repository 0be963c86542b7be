"""Sort many messages with a cheap role, and answer the urgent ones with a strong one.

    python examples/sort_messages.py messages.txt

One message per line. The role `bulk` of your oneseat.toml sorts each; urgent ones go to the role `reasoning`. Every answer names
its provider and cost. `examples/roles.toml` has both roles.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

import msgspec

import oneseat


class Sorted(msgspec.Struct):
    """The answer of the role `bulk`."""

    topic: Literal["invoice", "question", "complaint", "other"]
    urgent: bool


async def sort(app: oneseat.App, message: str) -> str:
    """Sort one message and draft an answer if it is urgent. Returns the line to print."""
    first = await app.run(f"Sort this message:\n\n{message}", role="bulk", schema=Sorted)
    if first.error is not None:
        return f"{message[:40]!r}: not sorted, {first.error.code}"
    found = first.parsed
    line = f"{message[:40]!r}: {found.topic} ({paid(first)})"
    if not found.urgent:
        return line
    second = await app.run(f"Draft an answer to this message:\n\n{message}", role="reasoning")
    return f"{line}\n  {second.text.strip() or second.error} ({paid(second)})"


def paid(result: oneseat.RunResult) -> str:
    """Who answered and the cost; on a plan nothing is charged."""
    receipt = result.receipt
    cost = "unknown" if receipt.cost_usd is None else f"${receipt.cost_usd:.4f}"
    return f"{receipt.provider}, {receipt.wallet}, {cost}"


async def main(messages: list[str]) -> None:
    """Sort all messages, eight in parallel."""
    eight = asyncio.Semaphore(8)

    async def one(message: str) -> None:
        async with eight:
            print(await sort(app, message))

    async with oneseat.connect() as app, asyncio.TaskGroup() as group:
        for message in messages:
            group.create_task(one(message))


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
    asyncio.run(main([line for line in lines if line.strip()]))
