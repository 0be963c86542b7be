"""Work in a process of its own, which can be killed: for what may take forever and cannot be interrupted, such as a regex."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from .processes.parent_death import with_death_signal

#: `-I` and the caller's own path: nothing in the working directory is imported. The limit on processor time ends it even if this
#: process is killed where the system sends no signal then.
_BOOT = """
import importlib, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]), int(sys.argv[1])))
except (ImportError, ValueError, OSError):
    pass
sys.path[:] = sys.argv[3:]
module, _, name = sys.argv[2].partition(":")
answer = getattr(importlib.import_module(module), name)(sys.stdin.buffer.read())
sys.stdout.buffer.write(answer)
"""
#: What an interpreter needs to start on Windows.
_KEPT = ("SYSTEMROOT",)


class WorkerError(Exception):
    """The work could not be done: the process could not be started, was killed, or ran out of memory."""


async def call(function: str, data: bytes, limit_s: float) -> bytes:
    """What ``function``, as ``module:name``, returns for ``data``. Cancelling this kills the process.

    Raises ``TimeoutError`` after ``limit_s`` seconds, and ``WorkerError``.
    """
    try:
        process = _started(function, limit_s)
    except OSError as error:
        raise WorkerError(error.strerror or type(error).__name__) from None
    try:
        answer, _ = await asyncio.to_thread(process.communicate, data, limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()  # closes the pipes
        raise TimeoutError from None
    except RuntimeError:  # no thread can be started
        raise WorkerError("no thread can be started") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise WorkerError(f"its process ended with {process.returncode}")
    return answer


def _started(function: str, limit_s: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-c", _BOOT, str(int(limit_s) + 2), function, *sys.path]
    return subprocess.Popen(
        with_death_signal(command, "KILL"),
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
