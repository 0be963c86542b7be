"""Runs the trial of one installed CLI: all acts, a few at a time, and what failed once more alone."""

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

from .acts import ACTS, Act, write_scripts
from .assumptions import Notes
from .talk import BrokenOffError, Folders, Stage, made_up_environment

#: Starting the CLI is half a second of one processor; more at a time would only slow each other down.
_AT_ONCE = 3
#: How long one act may take, in seconds: ten times what it takes on a busy machine.
_ACT_S = 30.0


async def try_cli(executable: str, environ: Mapping[str, str] | None = None) -> CanaryReport:
    """Try the CLI at ``executable`` and report on every assumption. Takes a few seconds.

    ``environ`` is a snapshot of the caller's environment, the real one by default; no login in it is used. Raises
    ``OSError`` when there is no such file or no room for the scratch folder.
    """
    snapshot = dict(os.environ if environ is None else environ)
    began = time.monotonic()
    notes = Notes()
    with (
        tempfile.TemporaryDirectory(prefix="oneseat-canary-", ignore_cleanup_errors=True) as folder,
        Simulator() as simulator,
    ):
        write_scripts(simulator)
        stage = Stage(executable, snapshot, Path(folder), simulator)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(_version(stage, notes))
            tasks.create_task(_perform_all(stage, notes))
    return CanaryReport(
        cli=discovery.identify(executable),
        version=asked.result(),
        tried_at_ms=int(time.time() * 1000),
        duration_ms=int((time.monotonic() - began) * 1000),
        assumptions=notes.all(),
    )


async def _version(stage: Stage, notes: Notes) -> str | None:
    env = made_up_environment(stage, Folders.build(stage.folder / "version"), "ok", "version")
    version = await discovery.ask_version(stage.executable, env)
    notes.note("version", version or "no version", holds=version is not None)
    return version


async def _perform_all(stage: Stage, notes: Notes) -> None:
    room = asyncio.Semaphore(_AT_ONCE)

    async def first(number: int, act: Act) -> Notes:
        async with room:
            return await _perform(act, stage, f"{number}-first")

    # Not `gather`: cancelled, it would not wait for the processes that are still being ended.
    async with asyncio.TaskGroup() as tasks:
        performed = [tasks.create_task(first(number, act)) for number, act in enumerate(ACTS)]
    for number, (act, task) in enumerate(zip(ACTS, performed, strict=True)):
        seen = task.result()
        # A machine that was busy for a moment must not condemn a CLI: what failed is tried again, by itself.
        notes.take(await _perform(act, stage, f"{number}-again") if seen.broken else seen)


async def _perform(act: Act, stage: Stage, name: str) -> Notes:
    notes = Notes()
    try:
        async with asyncio.timeout(_ACT_S):
            await act.perform(stage, Folders.build(stage.folder / name), notes)
    except BrokenOffError as error:
        why = str(error)
    except TimeoutError:
        why = f"nothing within {_ACT_S:g} s"
    except Exception as error:  # noqa: BLE001 - an unknown CLI can answer anything; what we trip over is a broken assumption
        why = f"an answer of another shape ({type(error).__name__})"
    else:
        why = "nothing was seen"
    notes.note_missing(act.shows, why)
    return notes
