"""What is known of the installed CLI before a run: its version, and how its trial went when it is a new one.

Light on purpose, because every run passes here: one look at the file and one at a small file of ours. The trial itself is in
``oneseat.canary``.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from oneseat.assembly import find_paths, new_run_id, read_settings
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.reports.compat import CanaryReport, CliFile
from oneseat.host.locks import ProjectLocks
from oneseat.host.paths import home_error
from oneseat.providers.claude_cli import discovery, environment
from oneseat.providers.official_cli.program import dotted
from oneseat.rules import untested
from oneseat.settings import Settings
from oneseat.stores.compat import CanaryResults

#: How long to wait for another process that tries the same CLI, in seconds; it takes a tenth of that.
_WAIT_S = 120.0


class InstalledCli(msgspec.Struct, frozen=True, kw_only=True):
    """The CLI that runs would use. ``report`` is its stored trial, if there is one."""

    executable: str
    file: CliFile
    version: str | None
    report: CanaryReport | None

    @property
    def untested(self) -> bool:
        """Whether it is newer than every version that oneseat was tested with. A CLI that hides its version is not."""
        return (discovery.parse_version(self.version or "") or discovery.NEWEST) > discovery.NEWEST


class Vetting:
    """Looks at and remembers the CLI of one environment and directory. Making it raises ``UsageError`` for bad settings."""

    def __init__(self, environ: Mapping[str, str], cwd: Path) -> None:
        self._environ = environ
        self._paths = find_paths(environ)
        self._settings = read_settings(environ, cwd, self._paths)
        self._results = CanaryResults(self._paths.canary_results)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def automatic(self) -> bool:
        """Whether a new version is tried before its first run, and refused when it does not pass."""
        return self._settings.canary_auto

    async def look(self) -> InstalledCli:
        """The installed CLI. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``."""
        executable = discovery.find_executable(self._settings.claude_path, self._environ.get("PATH"))
        file = discovery.identify(executable)
        return InstalledCli(
            executable=executable,
            file=file,
            version=await self._version(executable, file),
            report=self._results.report(file),
        )

    def identify(self) -> CliFile | None:
        """Which file the installed CLI is, by a look at it alone; ``None`` when there is none."""
        try:
            executable = discovery.find_executable(self._settings.claude_path, self._environ.get("PATH"))
            return discovery.identify(executable)
        except (OneseatError, OSError):
            return None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Held during a trial: of many runs that meet a new CLI at once, one tries it and the others wait for its report."""
        self._paths.ensure()
        async with ProjectLocks(self._paths.state_dir).held("canary", new_run_id(), _WAIT_S):
            yield

    def keep(self, report: CanaryReport) -> None:
        """Remember a trial. Raises ``UsageError`` when the folder for data cannot be written."""
        self._paths.ensure()
        try:
            self._results.keep(report)
        except OSError as error:
            raise home_error(error, self._paths.canary_results) from None

    async def _version(self, executable: str, file: CliFile) -> str | None:
        known = self._results.version(file) if file.size >= discovery.SCRIPT_BYTES else None
        if known is not None:
            return known
        version = await self._ask(executable)
        if version is not None and file.size >= discovery.SCRIPT_BYTES:
            self._paths.ensure()
            try:
                self._results.remember(file, version)
            except OSError as error:
                raise home_error(error, self._paths.canary_results) from None
        return version

    async def _ask(self, executable: str) -> str | None:
        # The system's own temporary folder: telling its version, the CLI leaves nothing there, and a folder made for it would
        # stay behind when oneseat is killed meanwhile.
        env = environment.child_environment(
            self._environ, pass_names=(), temp_dir=tempfile.gettempdir(), max_retries=0
        )
        return await discovery.ask_version(executable, env)


def refusal(report: CanaryReport) -> ErrorInfo | None:
    """Why the CLI of this trial is refused; ``None`` when it passed."""
    return untested.refusal(report, dotted(discovery.NEWEST))


async def installed_cli(vetting: Vetting) -> InstalledCli | None:
    """What ``Vetting.look`` finds, or ``None`` when there is nothing to look at: the run itself says best what is wrong."""
    try:
        return await vetting.look()
    except (OneseatError, OSError):
        return None
