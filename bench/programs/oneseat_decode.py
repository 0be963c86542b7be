"""Read a whole stream through oneseat and say how long it took: `provider` for the adapter alone, `app` for a whole run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import psutil

import oneseat
from oneseat.assembly import build_provider, find_paths, policy_view, read_settings, redactor
from oneseat.contract.budget import NO_BUDGET
from oneseat.contract.request import Request
from oneseat.contract.stations import Cleared, Dispatch, Permitted
from oneseat.rules import billing, bounds, policy, routing

#: After how many events the memory is looked at.
MEMORY_EVERY = 50_000
#: Events, seconds, and the memory in megabytes as the stream went on.
Report = tuple[int, float, list[float]]


async def through_provider(request: Request) -> Report:
    """The stations before the prompt as in any run, then the provider's events and nothing else."""
    cwd = Path(request.cwd)
    paths = find_paths(os.environ)
    settings = read_settings(os.environ, cwd, paths)
    provider = build_provider(settings, os.environ, paths, redactor(os.environ).redact)
    permitted = policy.decide(request, policy_view(settings, os.environ))
    assert isinstance(permitted, Permitted)
    async with provider.open(permitted, "bench") as session:
        budgeted = bounds.reserve(permitted, NO_BUDGET)
        cleared = billing.clear(budgeted, await session.credential_facts(), provider.wallet)
        assert isinstance(cleared, Cleared), cleared
        dispatch = routing.dispatch(cleared, provider.name, provider.default_model, session.capabilities)
        assert isinstance(dispatch, Dispatch), dispatch
        count, first, memory = 0, 0.0, [0.0]
        async for batch in session.send(dispatch):
            first = first or time.perf_counter()
            count += len(batch)
            if count // MEMORY_EVERY >= len(memory):
                memory.append(psutil.Process().memory_info().rss / 1e6)
        return count, time.perf_counter() - first, memory[1:]


async def through_app(request: Request) -> Report:
    """A run as callers hold it: watched, metered, written to the ledger, then yielded."""
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
