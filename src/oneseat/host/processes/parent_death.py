"""Ends a child when oneseat itself is killed.

Without this, the official CLI would go on with its turn, and spend usage, until the next start of oneseat ends it. Linux only:
the kernel sends the child a signal when the thread that started it dies. Elsewhere the child reads the end of its input and
exits after its current turn.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

#: INT for a run: the CLI ends its tools on it, while TERM and KILL leave them running (measured on claude 2.1.197).
#: KILL for a process without tools: it also ends a stopped process.
DeathSignal = Literal["INT", "KILL"]
_FOLDERS = "/usr/bin:/bin:/usr/sbin:/sbin"
_PROBE_S = 5.0


def with_death_signal(argv: Sequence[str], by: DeathSignal = "INT") -> list[str]:
    """``argv`` with a launcher that requests the signal ``by`` on the parent's death; unchanged where the system has none.

    Also unchanged for a file that is not clearly a program: the launcher would run it with a shell if the system rejects it.
    """
    return [*_launcher(by), *argv] if _is_program(argv[0]) else list(argv)


def _is_program(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return os.access(path, os.X_OK) and file.read(4).startswith((b"\x7fELF", b"#!"))
    except OSError:
        return False


def _launcher(by: DeathSignal) -> tuple[str, ...]:
    # `setpriv` of util-linux sets the signal and executes the program: same process, no shell, under a millisecond.
    # Setting it in Python between fork and exec can deadlock in a program with threads.
    found = _setpriv()
    return (found, f"--pdeathsig={by}", "--") if found is not None else ()


@cache
def _setpriv() -> str | None:
    found = shutil.which("setpriv", path=_FOLDERS) if sys.platform == "linux" else None
    if found is None:
        return None
    probe = [found, "--pdeathsig=KILL", "--", found, "--version"]
    try:
        works = subprocess.run(probe, capture_output=True, timeout=_PROBE_S, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        works = False
    return found if works else None
