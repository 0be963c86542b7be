"""One run at a time per project: within a process, across processes, and when the holder is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.host.locks import ProjectLocks
from oneseat.host.processes.tree import MARKER

HOLDER = """
import asyncio, sys
from pathlib import Path
from oneseat.host.locks import ProjectLocks
async def hold():
    async with ProjectLocks(Path(sys.argv[1])).held("shop", "run-of-another", 0.0):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(hold())
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the project until its stdin closes or it dies."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert _pipe(process.stdout).readline() == b"held\n"
            yield process
        finally:
            process.kill()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


async def refused(locks: ProjectLocks, wait_s: float = 0.0) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        async with locks.held("shop", "mine", wait_s):
            pass
    return caught.value.info


async def test_a_held_project_is_refused_and_the_holder_named(tmp_path: Path) -> None:
    locks = ProjectLocks(tmp_path / "locks")
    async with locks.held("shop", "first", 0.0):
        error = await refused(locks)
        async with locks.held("other", "second", 0.0):
            pass
    assert error.code == "usage.project_busy"
    assert "`shop`" in error.message
    assert f"run `first` of process {os.getpid()}" in error.message
    assert error.hint is not None
    assert "--wait" in error.hint


async def test_what_is_left_on_disk_is_private_and_goes_away(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    async with ProjectLocks(folder).held("shop", "first", 0.0):
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []


async def test_another_process_is_kept_out_and_told_by_whom(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        error = await refused(ProjectLocks(tmp_path), wait_s=0.1)
    assert f"run `run-of-another` of process {process.pid}" in error.message


async def test_a_waiting_run_goes_on_when_the_holder_ends(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        waiting = asyncio.ensure_future(_hold_once(ProjectLocks(tmp_path)))
        await asyncio.sleep(0)
        assert not waiting.done()
        _pipe(process.stdin).close()
        await waiting
        assert await asyncio.to_thread(process.wait) == 0


async def _hold_once(locks: ProjectLocks) -> None:
    async with locks.held("shop", "mine", 60.0):
        pass


def _started_by(run_id: str) -> subprocess.Popen[bytes]:
    """A process that a run has started, and that waits for ever."""
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={MARKER: run_id},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    # Before it has begun, the system does not yet show its environment.
    assert _pipe(process.stdout).readline()
    return process


async def test_a_killed_holder_frees_the_project_and_what_it_started_is_ended(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        orphan = _started_by("run-of-another")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert (tmp_path / "shop.lock").exists()
        async with ProjectLocks(tmp_path).held("shop", "mine", 0.0):
            assert (tmp_path / "shop.lock").read_text().split()[:2] == [str(os.getpid()), "mine"]
            with orphan:
                assert orphan.wait(10) == -signal.SIGKILL
        assert not psutil.pid_exists(process.pid)


INSIDE = """
import asyncio, subprocess, sys
from pathlib import Path
from oneseat.contract.errors import UsageError
from oneseat.host.locks import ProjectLocks
async def hold(wait_s):
    async with ProjectLocks(Path(sys.argv[1])).held("shop", "outer", wait_s):
        # A shell in between, as the assistant's tools have one.
        again = [sys.executable, sys.argv[2], sys.argv[1], sys.argv[2], "again"]
        subprocess.run(["sh", "-c", '"$@"; true', "sh", *again], check=True)
try:
    asyncio.run(hold(3600.0))
except UsageError as error:
    print(error.info.code, error.info.message, error.info.hint)
"""


def test_a_run_inside_of_the_holder_does_not_wait_for_itself(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(INSIDE, "utf-8")
    ended = subprocess.run(
        [sys.executable, program, tmp_path / "locks", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ended.stdout.startswith("usage.project_busy")
    assert "this run was started inside it" in ended.stdout
    assert "--wait" not in ended.stdout


async def test_of_many_that_wait_one_at_a_time_goes_on(tmp_path: Path) -> None:
    locks, inside, most = ProjectLocks(tmp_path), 0, 0

    async def one(number: int) -> None:
        nonlocal inside, most
        async with locks.held("shop", f"run-{number}", 60.0):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(one(number))
    assert most == 1


async def test_a_cancelled_wait_holds_nothing(tmp_path: Path) -> None:
    locks = ProjectLocks(tmp_path)
    async with locks.held("shop", "first", 0.0):
        waiting = asyncio.ensure_future(_hold_once(locks))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await _hold_once(locks)


async def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert (await refused(ProjectLocks(tmp_path / "file" / "locks"))).code == "usage.home_unwritable"
