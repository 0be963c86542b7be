"""Runs and measures child processes from start to end, with a scratch home and simulated logins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

PYTHON = sys.executable
ONESEAT = str(Path(sys.executable).with_name("oneseat"))
PROGRAMS = Path(__file__).parent / "programs"
#: A waiting process has booted when it is this old, in seconds, and idle.
_BOOTED_S = 3.0


class Finished(NamedTuple):
    """One ended process. ``cpu_s`` is user plus system time, of the process and the children it waited for."""

    wall_s: float
    cpu_s: float
    stdout: str


class BrokenRunError(Exception):
    """Raised when a measured process did not do its work: its figure would be meaningless."""


def measure(
    command: Sequence[str], env: Mapping[str, str], expect: str = "", cwd: str | Path | None = None
) -> Finished:
    """Run ``command`` with exactly ``env`` and no input. Raises ``BrokenRunError`` unless it exits 0 and prints ``expect``."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout = out.read().decode("utf-8", "replace")
        if process.returncode != 0 or expect not in stdout:
            words = err.read().decode("utf-8", "replace")[-1000:]
            raise BrokenRunError(
                f"exit code {process.returncode}: {Path(command[0]).name} {command[1:]}\n{stdout[-500:]}\n{words}"
            )
    return Finished(wall_s, usage.ru_utime + usage.ru_stime, stdout)


def memory_mb(command: Sequence[str], env: Mapping[str, str]) -> float:
    """The peak memory of ``command``, or of a child it waited for, in megabytes. Raises ``BrokenRunError`` when it fails."""
    # Start it from a program of a few megabytes: a child is charged with its parent's memory at the start.
    found = measure([PYTHON, "-IS", str(PROGRAMS / "weigh.py"), *command], env).stdout
    # macOS counts it in bytes, Linux in kilobytes.
    return int(found) * (1 if sys.platform == "darwin" else 1024) / 2**20


class Live:
    """A long-running program: it reports that it is ready, reads a line, answers with one, and reports again that it is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.ready = self._read()

    def ask(self, line: str) -> dict[str, float]:
        """Send a line and return the answer, once the program is ready again. Raises ``BrokenRunError`` when it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._read()
        self.ready = self._read()
        return answer

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BrokenRunError(f"a program that should stay has ended: {self._process.args!r}")
        answer: dict[str, float] = json.loads(line)
        return answer


Resident = AbstractContextManager[Live]


@contextmanager
def resident(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Iterator[Live]:
    """Start a long-running program; it ends when its input ends."""
    with subprocess.Popen(
        command, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Live(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


class Server:
    """A running `oneseat serve`."""

    def __init__(self, env: Mapping[str, str], cwd: Path) -> None:
        self._env = env
        self._cwd = cwd

    def settle(self) -> None:
        """Wait until the server has a booted process waiting."""
        while not (idle := self._idle()) or idle[0]["age_s"] < _BOOTED_S:
            time.sleep(0.05)
        process = psutil.Process(idle[0]["pid"])
        process.cpu_percent()
        time.sleep(0.3)
        while process.cpu_percent() > 2:
            time.sleep(0.3)

    def _idle(self) -> list[dict[str, Any]]:
        done = measure([ONESEAT, "status", "--json"], self._env, cwd=self._cwd)
        status = json.loads(done.stdout)["server"] or {}
        found: list[dict[str, Any]] = status.get("warm", [])
        return found


@contextmanager
def serving(env: Mapping[str, str], cwd: Path) -> Iterator[Server]:
    """Start a server; it ends with this context."""
    with subprocess.Popen(
        [ONESEAT, "serve", "--no-http"], env=env, cwd=cwd, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield Server(env, cwd)
        finally:
            process.terminate()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="oneseat-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def plain_env(home: Path) -> dict[str, str]:
    """The minimal environment of a program. Bytecode is cached, as on any ordinary machine."""
    return {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TERM": "dumb"}


def claude_env(home: Path, base_url: str) -> dict[str, str]:
    """The environment in which the official CLI uses a loopback server as the vendor. It reaches nothing else and has no login."""
    return {
        **plain_env(home),
        "ANTHROPIC_BASE_URL": base_url,
        "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-made-up-for-a-benchmark",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def oneseat_env(home: Path, base_url: str) -> dict[str, str]:
    """The environment in which `oneseat` does the same."""
    return {
        **plain_env(home),
        "ONESEAT_HOME": str(home / "oneseat"),
        "ONESEAT_CLAUDE_PATH": claude(),
        "ONESEAT_SIMULATOR_URL": base_url,
    }


def claude() -> str:
    """The official CLI used in all benchmarks, set by the Makefile. Raises ``BrokenRunError`` when it is not set."""
    path = os.environ.get("ONESEAT_CLAUDE_PATH")
    if not path:
        raise BrokenRunError("ONESEAT_CLAUDE_PATH is not set; run the benchmarks with: make bench")
    return path


def clis() -> list[str]:
    """The newest and the oldest tested version of the official CLI."""
    return [claude(), *filter(None, [os.environ.get("ONESEAT_TEST_OLD_CLAUDE")])]


def cli_version(cli: str) -> str:
    """The version an official CLI prints. Raises ``BrokenRunError`` when it prints none."""
    with scratch() as home:
        done = measure(
            [cli, "--version"], {**plain_env(home), "DISABLE_AUTOUPDATER": "1"}, expect="(Claude Code)"
        )
    return done.stdout.split()[0]
