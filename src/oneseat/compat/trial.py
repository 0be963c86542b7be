"""Run the trial of one installed CLI: all checks, a few at a time, and repeat a failed one by itself."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from oneseat.contract.reports.compat import CanaryReport
from oneseat.providers.claude_cli import discovery
from oneseat.testing import Simulator

from .checks import CHECKS, Check, write_scripts
from .driver import BrokenOffError, Folders, TrialContext, made_up_environment
from .results import Notes

#: Checks run at the same time. Starting the CLI takes half a second of CPU time, so more would only slow each other down.
_AT_ONCE = 3
#: How long one check may take, in seconds: ten times what it takes on a busy machine.
_ACT_S = 30.0


async def try_cli(executable: str, environ: Mapping[str, str] | None = None) -> CanaryReport:
    """Try the CLI at ``executable`` and report on every assumption. Takes a few seconds.

    ``environ`` is a snapshot of the caller's environment, the real one by default; no login in it is used. Raises
    ``OSError`` when there is no such file or the scratch folder cannot be created.
    """
    snapshot = dict(os.environ if environ is None else environ)
    began = time.monotonic()
    notes = Notes()
    with (
        tempfile.TemporaryDirectory(prefix="oneseat-canary-", ignore_cleanup_errors=True) as folder,
        Simulator() as simulator,
    ):
        write_scripts(simulator)
        context = TrialContext(executable, snapshot, Path(folder), simulator)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(_version(context, notes))
            tasks.create_task(_perform_all(context, notes))
    return CanaryReport(
        cli=discovery.identify(executable),
        version=asked.result(),
        tried_at_ms=int(time.time() * 1000),
        duration_ms=int((time.monotonic() - began) * 1000),
        assumptions=notes.all(),
    )


async def _version(context: TrialContext, notes: Notes) -> str | None:
    env = made_up_environment(context, Folders.build(context.folder / "version"), "ok", "version")
    version = await discovery.ask_version(context.executable, env)
    notes.note("version", version or "no version", holds=version is not None)
    return version


async def _perform_all(context: TrialContext, notes: Notes) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def first(number: int, check: Check) -> Notes:
        async with room:
            return await _perform(check, context, f"{number}-first")

    # Not `gather`: when cancelled, it would not wait for the processes that are still being ended.
    async with asyncio.TaskGroup() as tasks:
        performed = [tasks.create_task(first(number, check)) for number, check in enumerate(CHECKS)]
    for number, (check, task) in enumerate(zip(CHECKS, performed, strict=True)):
        seen = task.result()
        # Repeat a failed check by itself: a temporarily busy machine must not cause a CLI to be refused.
        notes.take(await _perform(check, context, f"{number}-again") if seen.broken else seen)


async def _perform(check: Check, context: TrialContext, name: str) -> Notes:
    notes = Notes()
    try:
        async with asyncio.timeout(_ACT_S):
            await check.perform(context, Folders.build(context.folder / name), notes)
    except BrokenOffError as error:
        why = str(error)
    except TimeoutError:
        why = f"nothing within {_ACT_S:g} s"
    except Exception as error:  # noqa: BLE001 - an unknown CLI can answer anything; what we trip over is a broken assumption
        why = f"an answer of another shape ({type(error).__name__})"
    else:
        why = "nothing was seen"
    notes.note_missing(check.shows, why)
    return notes
