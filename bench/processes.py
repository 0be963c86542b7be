"""Child processes as the benchmarks measure them: from start to end, with a scratch home and made-up logins."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PYTHON = sys.executable
ONESEAT = str(Path(sys.executable).with_name("oneseat"))
PROGRAMS = Path(__file__).parent / "programs"


class Finished(NamedTuple):
    """One process that ended. ``cpu_s`` is user plus system time, its own and that of the children it waited for."""

    wall_s: float
    cpu_s: float
    stdout: str


class BrokenRunError(Exception):
    """Raised when a measured process did not do its work: its figure would be fast and worthless."""


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


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="oneseat-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def plain_env(home: Path) -> dict[str, str]:
    """The least a program needs. Bytecode is kept, as on any ordinary machine."""
    return {"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "TERM": "dumb"}


def claude_env(home: Path, base_url: str) -> dict[str, str]:
    """What the official CLI needs to take a loopback server for the vendor. It can reach nothing else, and holds no real login."""
    return {
        **plain_env(home),
        "ANTHROPIC_BASE_URL": base_url,
        "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-made-up-for-a-benchmark",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def oneseat_env(home: Path, base_url: str) -> dict[str, str]:
    """What `oneseat` needs to do the same."""
    return {
        **plain_env(home),
        "ONESEAT_HOME": str(home / "oneseat"),
        "ONESEAT_CLAUDE_PATH": claude(),
        "ONESEAT_SIMULATOR_URL": base_url,
    }


def claude() -> str:
    """The official CLI everybody uses here. Set by the Makefile. Raises ``BrokenRunError`` when it is not."""
    path = os.environ.get("ONESEAT_CLAUDE_PATH")
    if not path:
        raise BrokenRunError("ONESEAT_CLAUDE_PATH is not set; run the benchmarks with: make bench")
    return path


def clis() -> list[str]:
    """Both ends of the tested range of the official CLI, the newest first."""
    return [claude(), *filter(None, [os.environ.get("ONESEAT_TEST_OLD_CLAUDE")])]


def cli_version(cli: str) -> str:
    """The version an official CLI prints. Raises ``BrokenRunError`` when it prints none."""
    with scratch() as home:
        done = measure(
            [cli, "--version"], {**plain_env(home), "DISABLE_AUTOUPDATER": "1"}, expect="(Claude Code)"
        )
    return done.stdout.split()[0]
