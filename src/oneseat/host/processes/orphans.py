"""Orphans of runs: processes that lost both their parent and the run's marker, and belong to this process as their subreaper.

They are noted while their run goes on, so that they are found even if this process is killed, and ended when no run goes on that
could have started them. Linux only: elsewhere an orphan belongs to the system.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

import psutil

from oneseat.contract.events import Event, Started, ToolResult
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request

from .child import is_child
from .registry import ProcessRegistry
from .subreaper import kill_tree, reap
from .tree import MARKER, start_time


class OrphanObserver:
    """Implements ``Observer``. Its entry is ``marker`` in ``live``."""

    def __init__(self, live: ProcessRegistry, marker: str) -> None:
        self._live = live
        self._marker = marker
        self._going_on: set[str] = set()
        #: Each orphan by pid and start time, with the runs that went on when it was first seen: one of them started it.
        self._seen: dict[tuple[int, float], frozenset[str]] = {}
        self._lock = threading.Lock()

    def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> _RunOrphans:  # noqa: ARG002 - the port's
        """A run has begun."""
        with self._lock:
            self._going_on.add(run_id)
        return _RunOrphans(self, run_id)

    def note(self) -> None:
        """Note the orphans of now: the next start ends them if this process cannot."""
        with self._lock:
            self._note()

    def ended(self, run_id: str) -> None:
        """A run has ended: end the orphans that no run which still goes on can have started."""
        with self._lock:
            found = self._note()
            self._going_on.discard(run_id)
            for identity, process in found.items():
                if not self._seen[identity] & self._going_on:
                    kill_tree(process)

    def _note(self) -> dict[tuple[int, float], psutil.Process]:
        found = _orphans()
        for identity in found.keys() - self._seen.keys():
            self._live.note_process(self._marker, *identity)
        now = frozenset(self._going_on)
        self._seen = {identity: self._seen.get(identity, now) for identity in found}
        return found


class _RunOrphans:
    """Implements ``Watcher`` for one run."""

    def __init__(self, observer: OrphanObserver, run_id: str) -> None:
        self._observer = observer
        self._run_id = run_id

    def saw(self, event: Event, at_ns: int) -> None:  # noqa: ARG002 - the port's
        """A tool has ended, or what starts with the CLI has started: what it left behind is an orphan by now."""
        if isinstance(event, ToolResult | Started):
            self._observer.note()

    def ended(self, result: RunResult, at_ns: int) -> None:  # noqa: ARG002 - the port's
        """The run has ended."""
        self._observer.ended(self._run_id)


def _orphans() -> dict[tuple[int, float], psutil.Process]:
    """Adopted processes without a marker, by pid and start time. Dead ones are reaped: nothing else would."""
    found: dict[tuple[int, float], psutil.Process] = {}
    if sys.platform == "win32":
        return found
    own_session = os.getsid(0)
    for pid in _children():
        with contextlib.suppress(OSError, psutil.Error):
            # What this process itself starts besides the CLIs stays in its session.
            if is_child(pid) or os.getsid(pid) == own_session:
                continue
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                reap(pid)
            elif not process.environ().get(MARKER):
                found[pid, start_time(pid)] = process
    return found


def _children() -> list[int]:
    try:
        # A twentieth of the time of a look at all processes.
        files = [thread / "children" for thread in Path("/proc/self/task").iterdir()]
        return [int(pid) for file in files for pid in file.read_text("ascii").split()]
    except OSError:  # a thread has just ended, or the kernel has no such file
        return [child.pid for child in psutil.Process().children()]
