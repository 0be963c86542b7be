"""Makes oneseat the parent of its orphaned descendants, so that even those that dropped the run's marker are found and ended.

Only for the `oneseat` command: the setting affects the whole process, so a library must not use it. Linux only; elsewhere an
orphan without the marker is not found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

import psutil

from .tree import descendants, wait_until_dead

#: From <linux/prctl.h>.
_PR_SET_CHILD_SUBREAPER = 36
#: How often the search repeats: the children of a process become ours only when it is dead.
_MAX_SWEEPS = 20


def become_subreaper() -> None:
    """From now on, orphaned descendants become children of this process."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_orphans() -> None:
    """Kill every descendant of this process."""
    for _ in range(_MAX_SWEEPS):
        left = [process for process in descendants(os.getpid()) if _kill(process)]
        if not left:
            return
        wait_until_dead(left)
        for process in left:
            reap(process.pid)


def kill_tree(process: psutil.Process) -> None:
    """Kill an adopted process and its descendants."""
    left = [each for each in (*descendants(process.pid), process) if _kill(each)]
    wait_until_dead(left)
    reap(process.pid)


def reap(pid: int) -> None:
    """Take a dead child away, where there is one of this pid."""
    # In a container whose pid 1 is an ordinary program, nothing else would ever reap it.
    if sys.platform != "win32":
        with contextlib.suppress(ChildProcessError):  # already reaped by the code that started it
            os.waitpid(pid, os.WNOHANG)


def _kill(process: psutil.Process) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.kill()
    except psutil.Error:
        return False
    return True
