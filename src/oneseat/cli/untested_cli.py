"""Before a run: a version of the official CLI that nobody tested is tried once, and refused when it breaks an assumption."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from oneseat.contract.canary import CanaryReport
from oneseat.contract.errors import OneseatError
from oneseat.vetting import InstalledCli, Vetting, installed_cli, refusal


async def check_cli(say: Callable[[str], None]) -> None:
    """Let a known CLI pass at once. ``say`` gets one line when a trial begins.

    Raises ``OneseatError`` ``provider.untested_cli``.
    """
    vetting = Vetting(os.environ, Path.cwd())
    cli = await installed_cli(vetting) if vetting.automatic else None
    if cli is None or not cli.untested:
        return
    error = refusal(cli.report or await _first_trial(vetting, cli, say))
    if error is not None:
        raise OneseatError(error)


async def try_installed_cli() -> CanaryReport:
    """Try the installed CLI now, whatever is known of it, and keep the report. Raises ``OneseatError`` when there is none."""
    vetting = Vetting(os.environ, Path.cwd())
    cli = await vetting.look()
    async with vetting.alone():
        return await _trial(vetting, cli)


async def _first_trial(vetting: Vetting, cli: InstalledCli, say: Callable[[str], None]) -> CanaryReport:
    say(
        f"note: the official CLI {cli.version} is new to oneseat; trying it on the simulator first, a few seconds, once"
    )
    async with vetting.alone():
        # Another run may have met it at the same moment and have tried it meanwhile.
        now = await vetting.look()
        return now.report or await _trial(vetting, now)


async def _trial(vetting: Vetting, cli: InstalledCli) -> CanaryReport:
    from oneseat.canary import try_cli  # noqa: PLC0415 - loads the simulator, which an ordinary run has no use for

    report = await try_cli(cli.executable)
    vetting.keep(report)
    return report
