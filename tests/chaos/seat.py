"""One owner with a home, a working directory and a temporary folder, whose commands are real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

ONESEAT = str(Path(sysconfig.get_path("scripts")) / "oneseat")
#: The only variables of the caller that a command may see.
_KEPT = ("LANG", "LC_ALL", "PATH", "TZ")
#: Longer than any end of a run may take, in seconds.
PATIENCE_S = 40.0
_SETTINGS = """
[watchdog]
after_result_s = 0.5
[projects.shop]
directory = {directory}
"""


class Ended(NamedTuple):
    """How a command ended; a negative code is the signal that ended it, ``None`` a command that hung and was killed."""

    code: int | None
    stdout: bytes
    stderr: str
    seconds: float


class Mark(NamedTuple):
    """One process for good."""

    pid: int
    started: float
    name: str


class Running(NamedTuple):
    """A command that is running."""

    process: subprocess.Popen[bytes]
    outputs: tuple[Path, Path]
    began: float

    def finish(self) -> Ended:
        """Wait for the end, but not for ever."""
        try:
            code: int | None = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            code = None
        stdout, stderr = (path.read_bytes() for path in self.outputs)
        return Ended(code, stdout, stderr.decode("utf-8", "replace"), time.monotonic() - self.began)


class Seat:
    """The folders below ``root``. Every command finds them in its environment, and so is found by them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home" / "oneseat"
        self.work = root / "work"
        self.temporary = root / "tmp"
        #: How long the last look at all processes took, in seconds.
        self.look_s = 0.0
        self._commands = 0
        for folder in (self.home / "config", self.work, self.temporary, root / "out"):
            folder.mkdir(parents=True)
        settings = _SETTINGS.format(directory=json.dumps(str(self.work)))
        (self.home / "config" / "oneseat.toml").write_text(settings, "utf-8")

    @property
    def ledger(self) -> Path:
        return self.home / "data" / "runs.db"

    def start(self, arguments: Sequence[str], env: Mapping[str, str], prefix: Sequence[str] = ()) -> Running:
        """Start a command with its outputs in files: a survivor that holds a pipe must not hold the one who counts."""
        self._commands += 1
        outputs = tuple(self.root / "out" / f"{self._commands}.{name}" for name in ("stdout", "stderr"))
        with outputs[0].open("wb") as stdout, outputs[1].open("wb") as stderr:
            process = subprocess.Popen(
                [*prefix, ONESEAT, *arguments],
                env={**self._environment(), **env},
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                # Whoever starts the campaign in the background may have signals ignored, and these would inherit that.
                preexec_fn=_default_signals,  # noqa: PLW1509 - the child does nothing but this
            )
        return Running(process, (outputs[0], outputs[1]), time.monotonic())

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home.parent),
            "ONESEAT_HOME": str(self.home),
            "TMPDIR": str(self.temporary),
        }

    def processes(self) -> list[Mark]:
        """Every live process with a folder of this seat in its environment: oneseat, the CLI, its tools."""
        needle = os.fsencode(self.root)
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if needle in (entry / "environ").read_bytes():
                    found.extend(marks([psutil.Process(int(entry.name))]))
            except (OSError, psutil.Error):
                continue
        return found

    def clear(self) -> None:
        """Kill what is left, so that one finding is not counted again by all that follow."""
        for mark in self.processes():
            os.kill(mark.pid, signal.SIGKILL)

    def families(self) -> list[Mark]:
        """All processes of this seat, with what they started: also those that dropped every mark."""
        began = time.monotonic()
        found = {mark.pid: mark for mark in self.processes()}
        for mark in list(found.values()):
            try:
                children = psutil.Process(mark.pid).children(recursive=True)
            except psutil.Error:
                continue
            found |= {child.pid: child for child in marks(children)}
        self.look_s = time.monotonic() - began
        return list(found.values())


def marks(processes: Sequence[psutil.Process]) -> list[Mark]:
    """The processes by pid, start and name. Those that are gone, or dead and not yet fetched, are left out."""
    found = []
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(Mark(process.pid, process.create_time(), " ".join(process.cmdline())[:200]))
        except psutil.Error:
            continue
    return found


def alive(known: Sequence[Mark]) -> list[Mark]:
    """Those that still live."""
    left: list[Mark] = []
    for mark in known:
        try:
            left.extend(found for found in marks([psutil.Process(mark.pid)]) if found.started == mark.started)
        except psutil.Error:
            continue
    return left


def json_lines(data: bytes) -> list[Any]:
    """The whole lines of an output, decoded. The last one may have been cut."""
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
