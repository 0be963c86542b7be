"""The version of each installed CLI and its last compatibility report, in one small file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from oneseat._util.atomic import replace_file
from oneseat.contract.reports.compat import CanaryReport, CliFile

#: How many entries are kept. An entry of a replaced CLI is useless, except to who switches between versions.
_KEPT = 16
#: Our file has a few kilobytes. A larger one is damaged.
_MAX_BYTES = 1_000_000


class _Entry(msgspec.Struct, frozen=True):
    cli: CliFile
    version: str | None = None
    report: CanaryReport | None = None


class CanaryResults:
    """The file at ``path``. A missing or damaged file counts as empty, so its CLIs are checked again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self, cli: CliFile) -> str | None:
        """The version of exactly this file; ``None`` when it was never asked."""
        entry = self._find(cli)
        return entry.version if entry is not None else None

    def report(self, cli: CliFile) -> CanaryReport | None:
        """The report on exactly this file, if it covers every check of today."""
        entry = self._find(cli)
        report = entry.report if entry is not None else None
        return report if report is not None and report.complete else None

    def remember(self, cli: CliFile, version: str) -> None:
        """Store the version of a CLI without a report. Raises ``OSError``."""
        self._write(_Entry(cli, version))

    def keep(self, report: CanaryReport) -> None:
        """Store a report; it replaces the entry of the same file. Raises ``OSError``."""
        self._write(_Entry(report.cli, report.version, report))

    def _find(self, cli: CliFile) -> _Entry | None:
        return next((entry for entry in self._read() if entry.cli == cli), None)

    def _read(self) -> list[_Entry]:
        try:
            with self._path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
            return msgspec.json.decode(data, type=list[_Entry])[:_KEPT]
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return []

    def _write(self, newest: _Entry) -> None:
        entries = [newest, *(entry for entry in self._read() if entry.cli.path != newest.cli.path)]
        replace_file(self._path, msgspec.json.encode(entries[:_KEPT]))
