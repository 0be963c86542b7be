"""Makes a child end when oneseat itself is killed and cannot end it any more.

Without this, the official CLI would go on with its turn, and pay for it, until the next start of oneseat sweeps it up.
Linux only: the kernel sends a signal to the child when the thread that started it dies. Elsewhere the child sees the end of
its input and leaves after the turn it is in.
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

#: INT for a run, because the CLI ends its tools on it; TERM and KILL leave them running (measured on claude 2.1.197).
#: KILL for what has no tools: it reaches a stopped process too.
DeathSignal = Literal["INT", "KILL"]
_FOLDERS = "/usr/bin:/bin:/usr/sbin:/sbin"
_PROBE_S = 5.0


def with_death_signal(argv: Sequence[str], by: DeathSignal = "INT") -> list[str]:
    """The argument list that starts ``argv`` so that it gets the signal ``by``. Unchanged where the system has no means for it.

    Unchanged too for a file that is not plainly a program: the launcher would hand it to a shell where the system refuses it.
    """
    return [*_launcher(by), *argv] if _is_program(argv[0]) else list(argv)


def _is_program(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return os.access(path, os.X_OK) and file.read(4).startswith((b"\x7fELF", b"#!"))
    except OSError:
        return False


def _launcher(by: DeathSignal) -> tuple[str, ...]:
    # `setpriv` of util-linux sets the signal and then becomes the program: same process, no shell, under a millisecond.
    # Doing it between fork and exec in Python can deadlock in a program with threads.
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
