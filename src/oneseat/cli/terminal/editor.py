"""The person's own editor on a file."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

from oneseat.contract.errors import ErrorInfo, UsageError

_USUAL = ("notepad",) if sys.platform == "win32" else ("sensible-editor", "nano", "vi")


def open_editor(file: str) -> None:
    """Edit a file and wait for the end of the editor.

    Raises ``UsageError`` ``usage.editor`` when none can be started, and when it ends with a failure.
    """
    command = _command()
    try:
        code = subprocess.call([*command, file])
    except OSError as error:
        raise _failed(shlex.join(command), (error.strerror or "it cannot be started").lower()) from None
    if code != 0:
        raise _failed(shlex.join(command), f"it ended with exit code {code}")


def _command() -> list[str]:
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(named)
    except ValueError:
        raise _failed(named, "a quotation mark is not closed") from None
    usual = next((name for name in _USUAL if shutil.which(name)), _USUAL[-1])
    return words or [usual]


def _failed(command: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.editor",
            message=f"The editor failed: `{command}`\n  {why}",
            hint="Name another one: `EDITOR=nano oneseat config edit`",
        )
    )
