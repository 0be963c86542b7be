"""What is known of the installed CLIs: the version of each, and how its trial went. One small file, replaced whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from oneseat.contract.reports.compat import CanaryReport, CliFile

#: Old entries are of no use once the CLI was replaced; a few are kept for those who switch between versions.
_KEPT = 16
#: A file of ours is a few kilobytes; a larger one is damage and not worth reading.
_MAX_BYTES = 1_000_000


class _Entry(msgspec.Struct, frozen=True):
    cli: CliFile
    version: str | None = None
    report: CanaryReport | None = None


class CanaryResults:
    """The file at ``path``. A file that is missing or cannot be understood holds nothing, so what it held is tried again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self, cli: CliFile) -> str | None:
        """The version of this very file, ``None`` when it was never asked."""
        entry = self._find(cli)
        return entry.version if entry is not None else None

    def report(self, cli: CliFile) -> CanaryReport | None:
        """How this very file fared, if everything that is assumed today was tried."""
        entry = self._find(cli)
        report = entry.report if entry is not None else None
        return report if report is not None and report.complete else None

    def remember(self, cli: CliFile, version: str) -> None:
        """Keep the version of a CLI that was not tried. Raises ``OSError``."""
        self._write(_Entry(cli, version))

    def keep(self, report: CanaryReport) -> None:
        """Keep a report instead of what was known of the same file. Raises ``OSError``."""
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
        data = msgspec.json.encode(entries[:_KEPT])
        # A reader sees the old file or the new one, never half of it; `mkstemp` makes it readable by the owner only.
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self._path)
        except BaseException:  # whatever happened, an interrupt too: no half file stays behind
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
