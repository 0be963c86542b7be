"""Ask several things at once. oneseat lets eight runs go on at a time on a machine, and the others wait.

python examples/many_at_once.py "Name a river" "Name a hill" "Name a town"
"""

from __future__ import annotations

import asyncio
import sys

import oneseat


async def main(prompts: list[str]) -> None:
    """Print the answers in the order of the prompts, and what all of them would have cost at list price."""
    async with oneseat.connect() as app:
        results = await asyncio.gather(*(app.run(prompt) for prompt in prompts))
    for prompt, result in zip(prompts, results, strict=True):
        print(f"{prompt}: {result.text if result.error is None else result.error.code}")
    costs = [result.receipt.equivalent_cost_usd for result in results]
    known = [cost for cost in costs if cost is not None]
    print("list price:", f"${sum(known):.4f}" if len(known) == len(costs) else "unknown")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["Name a river", "Name a hill"]))
