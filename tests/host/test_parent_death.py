"""What a killed oneseat leaves behind ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid

from oneseat.host.processes.parent_death import with_death_signal
from oneseat.host.processes.tree import is_alive, start_time

_PARENT = """
import asyncio, sys
from oneseat.host.processes.child import Child
async def main():
    # As the CLI does: it listens to SIGINT also where it was started with the signal ignored, as cron does.
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); print('up', flush=True); signal.pause()"
    child = Child.start([sys.executable, "-c", code], env={}, cwd="/", run_id=sys.argv[1])
    async for batch in child.batches():
        print(child.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def test_a_child_dies_with_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, uuid.uuid4().hex], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    began = start_time(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while is_alive(child, began):
        assert time.monotonic() < deadline


def test_the_program_and_its_arguments_are_not_changed() -> None:
    done = subprocess.run(
        with_death_signal([sys.executable, "-c", "import sys; print(sys.argv[1:])", "--version", "", "a b"]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "['--version', '', 'a b']\n"
