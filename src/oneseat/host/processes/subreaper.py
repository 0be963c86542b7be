"""Whatever a run started and lost comes to oneseat, not to pid 1, and is found there although it dropped the run's marker.

For a process that is oneseat's own: it changes whose children the orphans of a whole program are, which a library must not do.
Linux only; elsewhere such an orphan is found by nobody.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

import psutil

from .tree import descendants, wait_until_dead

#: Of the system's `prctl`: orphans below this process become its children.
_BE_SUBREAPER = 36
#: How often the search repeats: what an ended process had started only becomes ours when that is dead.
_MAX_SWEEPS = 20


def become_subreaper() -> None:
    """From here on, the orphans of everything this process starts are its children."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_BE_SUBREAPER, 1, 0, 0, 0)


def kill_orphans() -> None:
    """Kill everything below this process."""
    for _ in range(_MAX_SWEEPS):
        left = [process for process in descendants(os.getpid()) if _kill(process)]
        if not left:
            return
        wait_until_dead(left)
        for process in left:
            _fetch(process.pid)


def _fetch(pid: int) -> None:
    # Nobody else fetches a dead child of ours; where pid 1 is an ordinary program, nobody ever would.
    if sys.platform != "win32":
        with contextlib.suppress(ChildProcessError):  # whoever started it has fetched it
            os.waitpid(pid, os.WNOHANG)


def _kill(process: psutil.Process) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.kill()
    except psutil.Error:
        return False
    return True
