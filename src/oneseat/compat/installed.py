"""The installed official CLI: its version, and the stored result of its trial when oneseat was not tested with that version.

Every run needs this, so it reads only the CLI's file status and one small file of results; the trial itself is ``trial.py``.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.reports.compat import CanaryReport, CliFile
from oneseat.host.locks import ProjectLocks
from oneseat.host.paths import home_error
from oneseat.installation import Installation, new_run_id
from oneseat.providers.claude_cli import discovery, environment
from oneseat.providers.cli_common.program import dotted
from oneseat.rules import compat
from oneseat.stores.compat import CanaryResults

#: How long to wait for another process that tries the same CLI, in seconds; a trial takes a tenth of that.
_WAIT_S = 120.0


class InstalledCli(msgspec.Struct, frozen=True, kw_only=True):
    """The CLI that runs would use. ``report`` is its stored trial, if there is one."""

    executable: str
    file: CliFile
    version: str | None
    report: CanaryReport | None

    @property
    def untested(self) -> bool:
        """Whether it is newer than every version that oneseat was tested with. False when its version is unknown."""
        return (discovery.parse_version(self.version or "") or discovery.NEWEST) > discovery.NEWEST


class InstalledCliProbe:
    """Inspects the CLI that ``here`` would use, and stores its trial report. Raises ``UsageError`` for bad settings."""

    def __init__(self, here: Installation) -> None:
        self._here = here
        self._executable = here.settings.claude_path
        self._results = CanaryResults(here.paths.canary_results)

    @property
    def automatic(self) -> bool:
        """Whether a new version is tried before its first run, and refused if it fails."""
        return self._here.settings.canary_auto

    async def look(self) -> InstalledCli:
        """The installed CLI. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``."""
        executable = discovery.find_executable(self._executable, self._here.env.get("PATH"))
        file = discovery.identify(executable)
        return InstalledCli(
            executable=executable,
            file=file,
            version=await self._version(executable, file),
            report=self._results.report(file),
        )

    def identify(self) -> CliFile | None:
        """The identity of the installed CLI's file, without starting it; ``None`` when there is none."""
        try:
            executable = discovery.find_executable(self._executable, self._here.env.get("PATH"))
            return discovery.identify(executable)
        except (OneseatError, OSError):
            return None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Lock held during a trial: if several runs find a new CLI at once, one tries it and the others wait for its report."""
        self._here.paths.ensure()
        async with ProjectLocks(self._here.paths.state_dir).held("canary", new_run_id(), _WAIT_S):
            yield

    def keep(self, report: CanaryReport) -> None:
        """Store a trial report. Raises ``UsageError`` when the data folder cannot be written."""
        self._here.paths.ensure()
        try:
            self._results.keep(report)
        except OSError as error:
            raise home_error(error, self._here.paths.canary_results) from None

    async def _version(self, executable: str, file: CliFile) -> str | None:
        known = self._results.version(file) if file.size >= discovery.SCRIPT_BYTES else None
        if known is not None:
            return known
        version = await self._ask(executable)
        if version is not None and file.size >= discovery.SCRIPT_BYTES:
            self._here.paths.ensure()
            try:
                self._results.remember(file, version)
            except OSError as error:
                raise home_error(error, self._here.paths.canary_results) from None
        return version

    async def _ask(self, executable: str) -> str | None:
        # Use the system's temporary folder: `--version` leaves nothing there, and a folder created for it would stay behind if
        # oneseat were killed meanwhile.
        env = environment.child_environment(
            self._here.env, pass_names=(), temp_dir=tempfile.gettempdir(), max_retries=0
        )
        return await discovery.ask_version(executable, env)


def refusal(report: CanaryReport) -> ErrorInfo | None:
    """Why the CLI of this trial is refused; ``None`` when it passed."""
    return compat.refusal(report, dotted(discovery.NEWEST))


async def installed_cli(probe: InstalledCliProbe) -> InstalledCli | None:
    """The result of ``look``, or ``None`` if it fails: the run itself then reports the error."""
    try:
        return await probe.look()
    except (OneseatError, OSError):
        return None
