"""Before a run: try an untested version of the official CLI once, and refuse it when an assumption does not hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from oneseat.contract.errors import OneseatError
from oneseat.contract.reports.compat import CanaryReport, CliFile
from oneseat.installation import Installation
from oneseat.telemetry.records import EventLog

from .installed import InstalledCli, InstalledCliProbe, installed_cli, refusal


class VersionGate:
    """Checks the CLI before each run of one app; a known version passes at once.

    ``say`` gets one line when a trial begins.
    """

    def __init__(self, here: Installation, say: Callable[[str], None] | None = None) -> None:
        self._here = here
        self._say = say
        self._probe: InstalledCliProbe | None = None
        self._admitted: CliFile | None = None
        # Of several runs that start at once, one checks and the others wait for its result.
        self._looking = asyncio.Lock()

    async def check(self, provider: str) -> None:
        """Check the official CLI, if it is the provider about to be used.

        Raises ``OneseatError`` ``provider.untested_cli``; ``UsageError`` when results cannot be stored.
        """
        if provider != "claude-cli":
            return
        async with self._looking:
            if self._probe is None:
                self._probe = InstalledCliProbe(self._here)
            if self._probe.automatic and (file := self._probe.identify()) != self._admitted:
                await self._look(self._probe)
                self._admitted = file

    async def _look(self, probe: InstalledCliProbe) -> None:
        cli = await installed_cli(probe)
        if cli is None or not cli.untested:
            return
        error = refusal(cli.report or await self._first_trial(probe, cli))
        if error is not None:
            raise OneseatError(error)

    async def _first_trial(self, probe: InstalledCliProbe, cli: InstalledCli) -> CanaryReport:
        if self._say is not None:
            self._say(
                f"note: official CLI {cli.version} is untested; checking it once on the simulator (a few seconds)"
            )
        async with probe.alone():
            # Another process may have tried it meanwhile.
            now = await probe.look()
            return now.report or await _trial(self._here, probe, now)


async def try_installed_cli(here: Installation) -> CanaryReport:
    """Try the installed CLI now, even if it has a report, and store the new one. Raises ``OneseatError`` when there is no CLI."""
    probe = InstalledCliProbe(here)
    cli = await probe.look()
    async with probe.alone():
        return await _trial(here, probe, cli)


async def _trial(here: Installation, probe: InstalledCliProbe, cli: InstalledCli) -> CanaryReport:
    from .trial import try_cli  # noqa: PLC0415 - loads the simulator, which an ordinary run has no use for

    report = await try_cli(cli.executable, here.env)
    probe.keep(report)
    broken = ",".join(each.name for each in report.broken)
    EventLog(here.redactor.redact).write(
        logging.INFO if report.passed else logging.WARNING,
        "canary",
        f"The official CLI {report.version} was tried: {broken or 'all assumptions hold'}",
        version=report.version,
        broken=broken,
        duration_ms=report.duration_ms,
    )
    return report
