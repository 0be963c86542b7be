"""Finds and ends every process that a run started, including those that left its process group or lost their parent.

The official CLI starts its tools in sessions of their own: signals to its group do not reach them, and after its death they
belong to pid 1. They all inherit a marker variable from the child's environment, and are found by it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import psutil

#: The marker variable; its value is the run id.
MARKER = "ONESEAT_RUN_ID"
#: How often the search repeats while processes keep appearing.
_MAX_SWEEPS = 20
#: How long killed processes may take to die, in seconds.
_REAP_S = 2.0
_POLL_S = 0.005
#: How far two readings of one start time may differ, in seconds.
_SAME_START_S = 0.02


def marked_processes(run_id: str) -> list[psutil.Process]:
    """Every running process that inherited the run's marker, without zombies."""
    pids = _linux_pids(run_id) if sys.platform == "linux" else _psutil_pids(run_id)
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return found


def descendants(pid: int) -> list[psutil.Process]:
    """Every running descendant of ``pid``."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


@cache
def pid_space() -> str:
    """Where the pids that this process sees are valid: until the next start of the machine, in one PID namespace of Linux."""
    if sys.platform != "linux":
        return ""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def is_ancestor(pid: int) -> bool:
    """Whether ``pid`` is an ancestor of this process."""
    try:
        return any(parent.pid == pid for parent in psutil.Process().parents())
    except psutil.Error:
        return False


def kill_marked(run_id: str, also: Sequence[psutil.Process] = ()) -> int:
    """Kill every process with the run's marker, and those in ``also``. Returns how many were killed."""
    killed = 0
    for _ in range(_MAX_SWEEPS):
        targets = {
            process.pid: process for process in (*also, *marked_processes(run_id)) if process.is_running()
        }
        targets.pop(os.getpid(), None)
        if not targets:
            return killed
        for process in targets.values():
            try:
                process.kill()
                killed += 1
            except psutil.Error:
                continue
        wait_until_dead(list(targets.values()))
    return killed


def wait_until_dead(processes: list[psutil.Process], limit_s: float = _REAP_S) -> None:
    """Wait until killed processes are dead, at most ``limit_s`` seconds."""
    # A zombie counts as dead: a new parent that is slow to reap it would cost seconds.
    deadline = time.monotonic() + limit_s
    while any(_is_running(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def remove_leftovers(run_id: str) -> None:
    """Remove what a killed oneseat left of a run: its processes, and its private folder, which can hold a simulated login."""
    kill_marked(run_id)
    for folder in Path(tempfile.gettempdir()).glob(f"{private_prefix(run_id)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def private_prefix(run_id: str) -> str:
    """The prefix of a run's private folder, by which the next start finds it."""
    return f"oneseat-{run_id}-"


def is_running(pid: int) -> bool:
    """Whether a process with this pid is running. A zombie is not."""
    try:
        return _is_running(psutil.Process(pid))
    except psutil.Error:
        return False


def is_alive(pid: int, started: float) -> bool:
    """Whether the process with this pid is running and is the one whose ``start_time`` was ``started``."""
    try:
        return abs(start_time(pid) - started) < _SAME_START_S and _is_running(psutil.Process(pid))
    except psutil.Error:
        return False


def wait_until_gone(pid: int, limit_s: float) -> bool:
    """Wait up to ``limit_s`` seconds for a process to end; returns whether it did. A zombie has ended."""
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return True
    wait_until_dead([process], limit_s)
    return not _is_running(process)


def start_time(pid: int) -> float:
    """When a process started, in seconds; 0.0 when it is gone. Pid and start time identify a process for good.

    Counted from boot on Linux, elsewhere from the epoch.
    """
    try:
        # Setting the clock during a run (after sleep, or by a late time synchronisation) moves every time since the epoch: a
        # running process would be taken for a dead one, and its run ended.
        if sys.platform == "linux":
            # The program name is in parentheses and may contain anything, parentheses and spaces included.
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
    """Whether this process runs as root."""
    return sys.platform != "win32" and os.geteuid() == 0
