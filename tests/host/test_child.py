"""Real processes: fed, drained and ended with everything they started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from oneseat.host.processes.child import Child
from oneseat.host.processes.tree import descendants, is_alive, kill_marked, marked_processes, start_time


def _start(code: str, run_id: str, *arguments: str) -> Child:
    env = {"PATH": os.environ["PATH"]}
    return Child.start([sys.executable, "-c", code, *arguments], env=env, cwd="/", run_id=run_id)


@pytest.fixture
def run_id() -> str:
    return uuid.uuid4().hex


async def _lines(child: Child) -> list[bytes]:
    return [line async for batch in child.batches() for line in batch if isinstance(line, bytes)]


async def _first_number(child: Child) -> int:
    async with aclosing(child.batches()) as batches:
        async for batch in batches:
            assert isinstance(batch[0], bytes)
            return int(batch[0])
    raise AssertionError("the child printed nothing")


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_output_survives_an_exit_while_nobody_reads(run_id: str) -> None:
    child = _start("import sys; sys.stdout.write(('x' * 99 + '\\n') * 100_000)", run_id)
    assert await child.wait(20)
    lines = await _lines(child)
    await child.end(0)
    assert len(lines) == 100_000


async def test_output_is_drained_while_the_loop_is_blocked(run_id: str, tmp_path: Path) -> None:
    done = tmp_path / "done"
    child = _start(
        "import sys; sys.stdout.write('x' * 3_000_000); sys.stdout.flush(); open(sys.argv[1], 'w')",
        run_id,
        str(done),
    )
    deadline = time.monotonic() + 20
    while not done.exists():  # blocks the event loop on purpose: only the reader thread can empty the pipe
        assert time.monotonic() < deadline
    lines = await _lines(child)
    await child.end(0)
    assert len(lines[0]) == 3_000_000


async def test_a_large_input_does_not_block_the_loop(run_id: str) -> None:
    code = "import sys; n = len(sys.stdin.buffer.readline()); print(n)"
    child = _start(code, run_id)
    await child.write(b"y" * 5_000_000 + b"\n")
    assert await _lines(child) == [b"5000001"]
    await child.end(0)


async def test_writing_to_a_dead_child_is_a_broken_pipe(run_id: str) -> None:
    child = _start("pass", run_id)
    assert await child.wait(20)
    with pytest.raises(OSError):  # noqa: PT011 - BrokenPipeError on Linux, OSError elsewhere
        await child.write(b"z" * 1_000_000)
    await child.end(0)


async def test_the_end_of_stderr_is_kept(run_id: str) -> None:
    child = _start("import sys; sys.stderr.write('a' * 200_000 + 'last words')", run_id)
    await child.end(5)
    assert child.stderr_tail().text.endswith("last words")
    assert (len(child.stderr_tail().text), child.stderr_tail().cut) == (64 * 1024, True)


_STUBBORN = """
import os, signal, subprocess, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
child = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
grand = subprocess.Popen([sys.executable, "-c", child], start_new_session=True, stdout=subprocess.PIPE)
grand.stdout.readline()
print(grand.pid, flush=True)
signal.pause()
"""


async def test_a_child_that_ignores_signals_and_its_tool_in_another_session_are_ended(run_id: str) -> None:
    child = _start(_STUBBORN, run_id)
    grandchild = await _first_number(child)
    began = start_time(grandchild)
    assert {p.pid for p in marked_processes(run_id)} == {child.pid, grandchild}
    assert [p.pid for p in descendants(child.pid)] == [grandchild]
    await child.end(0)
    assert child.returncode == -signal.SIGKILL
    assert marked_processes(run_id) == []
    assert not is_alive(grandchild, began)


_DROPS_MARKER = """
import subprocess, sys
code = "print('up', flush=True); import signal; signal.pause()"
p = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, env={}, stdout=subprocess.PIPE)
p.stdout.readline(); print(p.pid, flush=True)
import signal; signal.pause()
"""


async def test_a_descendant_without_the_marker_is_found_by_parentage(run_id: str) -> None:
    child = _start(_DROPS_MARKER, run_id)
    grandchild = await _first_number(child)
    await child.end(0)
    assert not _lives(grandchild)


_ORPHAN = """
import subprocess, sys
code = "print('up', flush=True); import signal; signal.pause()"
p = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE)
p.stdout.readline(); print(p.pid, flush=True)
"""


async def test_an_orphan_of_a_child_that_left_in_peace_is_ended(run_id: str) -> None:
    child = _start(_ORPHAN, run_id)
    orphan = int((await _lines(child))[0])
    assert psutil.pid_exists(orphan)
    await child.end(5)
    assert child.returncode == 0
    assert not _lives(orphan)


async def test_a_child_that_leaves_at_the_end_of_input_is_not_signalled(run_id: str) -> None:
    child = _start("import sys; sys.stdin.read(); print('goodbye')", run_id)
    await child.end(20)
    assert child.returncode == 0


async def test_no_thread_or_descriptor_stays_behind(run_id: str) -> None:
    async def once() -> None:
        child = _start("print(1)", run_id)
        await _lines(child)
        await child.end(5)

    await once()
    before = psutil.Process().num_fds()
    for _ in range(5):
        await once()
    assert psutil.Process().num_fds() <= before
    assert [t.name for t in threading.enumerate() if t.name.startswith(("oneseat-std", "oneseat-wait"))] == []


_TOOL_HOLDS_OUTPUT = """
import signal, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
print("up", flush=True); signal.pause()
"""


async def test_a_tool_that_holds_the_output_does_not_hide_that_the_child_is_dead(run_id: str) -> None:
    child = _start(_TOOL_HOLDS_OUTPUT, run_id)
    async with asyncio.timeout(20), aclosing(child.batches()) as batches:
        assert await anext(batches) == [b"up"]
        child.signal(signal.SIGKILL)
        assert await anext(batches, None) is None
    await child.end(0)
    assert marked_processes(run_id) == []


_STRANGER = """
import os, subprocess, sys
# Twice removed and without the marker: nobody can know that it belongs to the run. It only holds the pipe open.
code = "import os, sys; pid = os.fork(); pid or os.setsid(); pid or print(os.getpid(), flush=True); "
code += "pid or sys.stdin.buffer.read(1); os._exit(0)"
subprocess.Popen([sys.executable, "-c", code], env={}, stdin=open(sys.argv[1], "rb")).wait()
"""


async def test_a_stranger_that_holds_the_pipe_open_does_not_hold_the_run(run_id: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    opener = os.open(gate, os.O_RDWR)
    child = _start(_STRANGER, run_id, str(gate))
    stranger = await _first_number(child)
    async with asyncio.timeout(20):
        await child.end(5)
    assert psutil.pid_exists(stranger)
    os.write(opener, b"x")
    os.close(opener)
    for thread in threading.enumerate():
        if thread.name == f"oneseat-stdout-{child.pid}":
            thread.join(20)


def test_a_clock_that_is_set_makes_nobody_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    began = start_time(os.getpid())
    # What psutil rests on is what the kernel moves when the clock is set.
    booted = psutil.boot_time()
    monkeypatch.setattr("psutil._psplatform.boot_time", lambda: booted + 3600)
    assert is_alive(os.getpid(), began)
    assert not is_alive(os.getpid(), began - 1)


def test_nothing_is_killed_when_nothing_is_marked(run_id: str) -> None:
    assert kill_marked(run_id) == 0


async def test_a_program_that_is_not_there_is_an_os_error(run_id: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Child.start([str(tmp_path / "nothing")], env={}, cwd="/", run_id=run_id)
    await asyncio.to_thread(lambda: None)
