"""Sort many messages cheaply, and think hard about the few that need it.

    python examples/sort_messages.py messages.txt

One message a line. The role `bulk` of your oneseat.toml sorts each; what it finds urgent goes to the role `reasoning`. Every
answer says who gave it and what it cost. `examples/roles.toml` holds both roles.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

import msgspec

import oneseat
from oneseat import make_request


class Sorted(msgspec.Struct):
    """What the role `bulk` has to say of a message."""

    topic: Literal["invoice", "question", "complaint", "other"]
    urgent: bool


async def sort(app: oneseat.App, message: str) -> str:
    """Sort one message, and draft an answer to it when it is urgent. Returns the line to print."""
    asked = make_request(f"Sort this message:\n\n{message}", role="bulk", schema=Sorted)
    first = await app.run(asked)
    if first.error is not None:
        return f"{message[:40]!r}: not sorted, {first.error.code}"
    found = msgspec.convert(first.structured, Sorted)
    line = f"{message[:40]!r}: {found.topic} ({paid(first)})"
    if not found.urgent:
        return line
    second = await app.run(make_request(f"Draft an answer to this message:\n\n{message}", role="reasoning"))
    return f"{line}\n  {second.text.strip() or second.error} ({paid(second)})"


def paid(result: oneseat.RunResult) -> str:
    """Who answered, and what that really cost; on a plan nothing is charged."""
    receipt = result.receipt
    cost = "unknown" if receipt.cost_usd is None else f"${receipt.cost_usd:.4f}"
    return f"{receipt.provider}, {receipt.wallet}, {cost}"


async def main(messages: list[str]) -> None:
    """Sort them all, eight at a time."""
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
