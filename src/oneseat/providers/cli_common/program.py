"""Finds the installed program, and makes the errors when it is missing, cannot be started or is too old."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.host.paths import absolute_path, expand_home

Version = tuple[int, int, int]


class Program(msgspec.Struct, frozen=True):
    """One official CLI: its name, the setting and the variable that give its path, and its npm package."""

    name: str
    setting: str
    variable: str
    package: str

    def find(
        self, configured: str | None, search_path: str | None, behind: Callable[[str], str] = str
    ) -> str:
        """The path of the program; ``behind`` maps a script to the program that it would start.

        Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``.
        """
        try:
            return self._find(configured, search_path, behind)
        except (
            OSError
        ) as error:  # a parent folder that this user may not enter, or a deleted working directory
            raise self._cannot_start(configured or self.name, error.strerror or str(error)) from error

    def _find(self, configured: str | None, search_path: str | None, behind: Callable[[str], str]) -> str:
        if configured is not None:
            return behind(self._configured(configured))
        found = shutil.which(self.name, path=search_path)
        if found is None:
            folders = len([folder for folder in (search_path or "").split(os.pathsep) if folder])
            raise _missing(
                f"The official CLI was not found: `{self.name}`\n"
                f"  looked in PATH ({folders} folders); {self.setting} is not set",
                f"Install it: `npm install -g {self.package}`",
            )
        program = behind(found)
        if sys.platform == "win32" and Path(program).suffix.lower() in (".cmd", ".bat", ".ps1"):
            # A command shim passes its arguments to a shell, which would interpret them.
            raise _missing(
                f"The official CLI is a command shim: `{found}`\n  oneseat starts programs without a shell",
                self._name_it,
            )
        return program

    def too_old(self, version: str | None, tested: str) -> OneseatError:
        """The error for a ``version`` that is older than the oldest of those ``tested``."""
        return OneseatError(
            ErrorInfo(
                code="provider.too_old",
                message=f"The official CLI is too old: `{version}`\n  oneseat is tested {tested}",
                hint=f"Install a current one: `npm install -g {self.package}`",
            )
        )

    @property
    def _name_it(self) -> str:
        return f"Name the program: `export {self.variable}=/path/to/{self.name}`"

    def _cannot_start(self, program: str, why: str) -> OneseatError:
        return OneseatError(
            ErrorInfo(
                code="provider.cannot_start",
                message=f"The official CLI cannot be started: `{program}`\n  {why[:1].lower()}{why[1:]}",
                hint=self._name_it,
            )
        )

    def _configured(self, configured: str) -> str:
        path = expand_home(configured)
        why = _not_a_file(path)
        if why is not None:
            raise _missing(
                f"The official CLI was not found: `{configured}`\n"
                f"  named by {self.setting} or {self.variable}; {why}",
                self._name_it,
            )
        if shutil.which(str(path)) is None:
            raise OneseatError(
                ErrorInfo(
                    code="provider.cannot_start",
                    message=f"The official CLI cannot be started: `{configured}`\n  the file is not executable",
                    hint=f"Run `chmod +x {shlex.quote(str(path))}`",
                )
            )
        return str(absolute_path(path))


def _not_a_file(path: Path) -> str | None:
    """Why ``path`` is not a program file. Raises ``OSError`` when this user may not access it."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a zero byte in the setting
        return "there is no such file"
    return None if regular else "it is not a file"


def dotted(version: Version) -> str:
    """``(2, 1, 197)`` as ``2.1.197``."""
    return ".".join(map(str, version))


def _missing(message: str, hint: str) -> OneseatError:
    return OneseatError(ErrorInfo(code="provider.not_found", message=message, hint=hint))
