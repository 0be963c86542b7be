"""Makes a child end when oneseat itself is killed and cannot end it any more.

Without this, the official CLI would go on with its turn, and pay for it, until the next start of oneseat sweeps it up.
Linux only: the kernel sends a signal to the child when the thread that started it dies. Elsewhere the child sees the end of
its input and leaves after the turn it is in.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

#: SIGINT, because the CLI ends its tools on it; SIGTERM and SIGKILL leave them running (measured on claude 2.1.197).
_OPTION = "--pdeathsig=INT"
_FOLDERS = "/usr/bin:/bin:/usr/sbin:/sbin"
_PROBE_S = 5.0


def ending_with_us(argv: Sequence[str]) -> list[str]:
    """The argument list that starts ``argv`` so. Unchanged where the system has no means for it.

    Raises ``FileNotFoundError`` for a program that is not there: the launcher would start, and only then fail.
    """
    if not os.access(argv[0], os.X_OK):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    return [*_launcher(), *argv]


@cache
def _launcher() -> tuple[str, ...]:
    # `setpriv` of util-linux sets the signal and then becomes the program: same process, no shell, under a millisecond.
    # Doing it between fork and exec in Python can deadlock in a program with threads.
    found = shutil.which("setpriv", path=_FOLDERS) if sys.platform == "linux" else None
    if found is None:
        return ()
    probe = [found, _OPTION, "--", found, "--version"]
    try:
        works = subprocess.run(probe, capture_output=True, timeout=_PROBE_S, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        works = False
    return (found, _OPTION, "--") if works else ()
