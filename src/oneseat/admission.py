"""Before a run: a version of the official CLI that nobody tested is tried once, and refused when it breaks an assumption."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from oneseat.assembly import redactor
from oneseat.contract.errors import OneseatError
from oneseat.contract.reports.compat import CanaryReport, CliFile
from oneseat.observers.records import Records
from oneseat.vetting import InstalledCli, Vetting, installed_cli, refusal


class Admission:
    """Looks at the CLI before each run of one app, and lets a known one pass at once.

    ``environ`` and ``cwd`` are where its settings are looked for. ``say`` gets one line when a trial begins.
    """

    def __init__(
        self, environ: Mapping[str, str], cwd: Path, say: Callable[[str], None] | None = None
    ) -> None:
        self._environ = environ
        self._cwd = cwd
        self._say = say
        self._vetting: Vetting | None = None
        self._admitted: CliFile | None = None
        # Of several runs that begin at once, one looks and the others wait for what it finds.
        self._looking = asyncio.Lock()

    async def check(self, provider: str) -> None:
        """Look at the official CLI where it is the provider that is about to serve.

        Raises ``OneseatError`` ``provider.untested_cli``; ``UsageError`` where results cannot be kept.
        """
        if provider != "claude-cli":
            return
        async with self._looking:
            if self._vetting is None:
                self._vetting = Vetting(self._environ, self._cwd)
            if self._vetting.automatic and (file := self._vetting.identify()) != self._admitted:
                await self._look(self._vetting)
                self._admitted = file

    async def _look(self, vetting: Vetting) -> None:
        cli = await installed_cli(vetting)
        if cli is None or not cli.untested:
            return
        error = refusal(cli.report or await self._first_trial(vetting, cli))
        if error is not None:
            raise OneseatError(error)

    async def _first_trial(self, vetting: Vetting, cli: InstalledCli) -> CanaryReport:
        if self._say is not None:
            self._say(
                f"note: the official CLI {cli.version} is new to oneseat; trying it on the simulator first, "
                "a few seconds, once"
            )
        async with vetting.alone():
            # Another run may have met it at the same moment and have tried it meanwhile.
            now = await vetting.look()
            return now.report or await _trial(vetting, now, self._environ)


async def try_installed_cli(environ: Mapping[str, str], cwd: Path) -> CanaryReport:
    """Try the installed CLI now, whatever is known of it, and keep the report. Raises ``OneseatError`` when there is none."""
    vetting = Vetting(environ, cwd)
    cli = await vetting.look()
    async with vetting.alone():
        return await _trial(vetting, cli, environ)


async def _trial(vetting: Vetting, cli: InstalledCli, environ: Mapping[str, str]) -> CanaryReport:
    from oneseat.canary import try_cli  # noqa: PLC0415 - loads the simulator, which an ordinary run has no use for

    report = await try_cli(cli.executable, environ)
    vetting.keep(report)
    broken = ",".join(each.name for each in report.broken)
    Records(redactor(environ).redact).say(
        logging.INFO if report.passed else logging.WARNING,
        "canary",
        f"The official CLI {report.version} was tried: {broken or 'all assumptions hold'}",
        version=report.version,
        broken=broken,
        duration_ms=report.duration_ms,
    )
    return report
