"""Read a whole stream through oneseat and report the time: `provider` for the adapter alone, `app` for a whole run."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import psutil

import oneseat
from oneseat.app.providers import build_provider
from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.request import Request
from oneseat.contract.stations import Cleared, Dispatch, Permitted
from oneseat.installation import Installation
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.policy import decide as policy
from oneseat.rules.routing import candidates as routing

#: After how many events the memory is measured.
MEMORY_EVERY = 50_000
#: The number of events, seconds, and the memory in megabytes over time.
Report = tuple[int, float, list[float]]


async def through_provider(request: Request) -> Report:
    """Do the steps before the prompt as in any run, then read only the provider's events."""
    here = Installation(cwd=request.cwd)
    provider = build_provider(here)
    permitted = policy.decide(request, here.policy_view)
    assert isinstance(permitted, Permitted)
    async with provider.open(permitted, "bench") as session:
        budgeted = bounds.reserve(permitted, NO_BUDGET)
        cleared = billing.clear(budgeted, await session.credential_facts(), provider.wallet)
        assert isinstance(cleared, Cleared), cleared
        dispatch = routing.dispatch(cleared, provider.name, provider.default_model, session.info)
        assert isinstance(dispatch, Dispatch), dispatch
        count, first, memory = 0, 0.0, [0.0]
        async for batch in session.send(dispatch):
            first = first or time.perf_counter()
            count += len(batch)
            if count // MEMORY_EVERY >= len(memory):
                memory.append(psutil.Process().memory_info().rss / 1e6)
        return count, time.perf_counter() - first, memory[1:]


async def through_app(request: Request) -> Report:
    """Do a run as callers do: watched, metered, written to the ledger, then yielded."""
    count, first = 0, 0.0
    async with oneseat.connect() as app, app.stream(request) as run:
        async for _ in run:
            first = first or time.perf_counter()
            count += 1
    assert run.result is not None
    assert run.result.status == "completed", run.result.error
    return count, time.perf_counter() - first, []


async def main() -> None:
    """Print the report."""
    read = {"provider": through_provider, "app": through_app}[sys.argv[1]]
    count, wall_s, memory = await read(oneseat.make_request("go"))
    print(json.dumps({"events": count, "wall_s": wall_s, "memory_mb": memory}))


asyncio.run(main())
