"""Find and end every process that a run started, also those that left its process group or lost their parent.

The official CLI starts its tools in sessions of their own: signals to its group do not reach them, and after its death
they belong to pid 1. A marker variable in the child's environment is inherited by all of them and finds them again.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

#: Name of the marker; its value is the run id.
MARKER = "ONESEAT_RUN_ID"
#: How often the search repeats when processes keep appearing, as they can while a tree is being ended.
_MAX_SWEEPS = 20
#: How long ended processes may take to disappear from the process table, in seconds.
_REAP_S = 2.0
_POLL_S = 0.005
#: How far two readings of one start may lie apart, in seconds.
_SAME_START_S = 0.02


def marked_processes(run_id: str) -> list[psutil.Process]:
    """Every live process of ours that inherited the run's marker. Zombies are not live."""
    pids = _linux_pids(run_id) if sys.platform == "linux" else _psutil_pids(run_id)
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return found


def descendants(pid: int) -> list[psutil.Process]:
    """Every live process below ``pid``, found by parentage."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def is_ancestor(pid: int) -> bool:
    """Whether this process was started by ``pid``, or by something below it."""
    try:
        return any(parent.pid == pid for parent in psutil.Process().parents())
    except psutil.Error:
        return False


def kill_marked(run_id: str, family: Sequence[psutil.Process] = ()) -> int:
    """Kill what is left of a run: ``family`` and every marked process. Returns how many were killed."""
    killed = 0
    for _ in range(_MAX_SWEEPS):
        victims = {
            process.pid: process for process in (*family, *marked_processes(run_id)) if process.is_running()
        }
        victims.pop(os.getpid(), None)
        if not victims:
            return killed
        for process in victims.values():
            try:
                process.kill()
                killed += 1
            except psutil.Error:
                continue
        wait_until_dead(list(victims.values()))
    return killed


def wait_until_dead(processes: list[psutil.Process], limit_s: float = _REAP_S) -> None:
    """Wait for processes that were killed to be dead, but not for ever."""
    # A zombie is dead; when its new parent is slow to reap it, waiting for it to disappear would cost seconds.
    deadline = time.monotonic() + limit_s
    while any(_lives(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def remove_leftovers(run_id: str) -> None:
    """Clear what a killed oneseat left of a run: its processes, and its private folder, which can hold a made-up login."""
    kill_marked(run_id)
    for folder in Path(tempfile.gettempdir()).glob(f"{private_prefix(run_id)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def private_prefix(run_id: str) -> str:
    """How the name of a run's private folder begins, so that the next start can find it."""
    return f"oneseat-{run_id}-"


def is_running(pid: int) -> bool:
    """Whether there is such a process and it has not ended; one that has, and waits for its parent, is dead."""
    try:
        return _lives(psutil.Process(pid))
    except psutil.Error:
        return False


def is_alive(pid: int, started: float) -> bool:
    """Whether the process with this pid is still the one that started then, by ``start_time``."""
    try:
        return abs(start_time(pid) - started) < _SAME_START_S and _lives(psutil.Process(pid))
    except psutil.Error:
        return False


def wait_until_gone(pid: int, limit_s: float) -> bool:
    """Wait until a process is gone, up to ``limit_s`` seconds; whether it is. A zombie is gone."""
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return True
    wait_until_dead([process], limit_s)
    return not _lives(process)


def start_time(pid: int) -> float:
    """When a process started, in seconds; 0.0 when it is gone. With the pid it names a process for good.

    Counted from the start of the machine on Linux, elsewhere from the epoch.
    """
    try:
        # A clock that is set while a run goes on (a machine that wakes up, a clock that is synchronised late) moves every
        # time since the epoch: a live run would be taken for a dead one, and ended.
        if sys.platform == "linux":
            # The name of the program stands in brackets and may hold anything, brackets and spaces too.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return psutil.Process(pid).create_time()
    except (OSError, psutil.Error):
        return 0.0


def _linux_pids(run_id: str) -> list[int]:
    # Reading /proc directly costs about 10 ms for 500 processes; asking psutil for every environment costs five times that.
    needle = f"{MARKER}={run_id}".encode()
    pids = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if needle in (entry / "environ").read_bytes().split(b"\0"):
                pids.append(int(entry.name))
        except OSError:
            continue
    return pids


def _psutil_pids(run_id: str) -> list[int]:
    pids = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == run_id:
                pids.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return pids


def is_root() -> bool:
    """Whether this process may do anything on this machine."""
    return sys.platform != "win32" and os.geteuid() == 0
