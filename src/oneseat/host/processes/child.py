"""One child process: started from an argument list, its pipes served by threads, ended with everything it started.

Threads and not the event loop serve the pipes, so a caller that blocks its loop cannot make the child lose output, and the
same code runs on every platform and under any loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import IO, NamedTuple

import psutil

from .byte_queue import ByteQueue
from .lines import LineSplitter, OversizedLine, lines_of
from .parent_death import DeathSignal, with_death_signal
from .tree import MARKER, descendants, kill_marked

if sys.platform != "win32":
    import fcntl

_READ_BYTES = 1024 * 1024
#: Output kept in memory before it spills to disk.
_MEMORY_LIMIT = 16 * 1024 * 1024
#: How long to wait for a reader thread after every known process has ended, in seconds.
_JOIN_S = 1.0
#: After the child has died, this many seconds without output end the stream, even if another process holds the pipe open.
_QUIET_S = 2.0
#: How long to wait for the end of stderr after the exit, in seconds.
_STDERR_WAIT_S = 0.2
#: How much of the end of stderr is kept.
_STDERR_BYTES = 64 * 1024


#: The pids of the children that have not been waited for.
_running: set[int] = set()


class Tail(NamedTuple):
    """The end of a text, and whether there was more before it."""

    text: str
    cut: bool


class Child:
    """A running child process. Create it with ``Child.start``; call ``end`` exactly once, whatever happened."""

    def __init__(self, popen: subprocess.Popen[bytes], run_id: str) -> None:
        self._popen = popen
        self._run_id = run_id
        self._loop = asyncio.get_running_loop()
        self._output = ByteQueue(self._loop, _MEMORY_LIMIT)
        self._errors = bytearray()
        self._errors_cut = False
        self._received = 0
        self._exited = asyncio.Event()
        self._descendants: list[psutil.Process] = []
        self._splitter = LineSplitter()
        self._write_lock = asyncio.Lock()
        self._threads = [
            threading.Thread(target=self._drain_output, name=f"oneseat-stdout-{popen.pid}", daemon=True),
            threading.Thread(target=self._drain_errors, name=f"oneseat-stderr-{popen.pid}", daemon=True),
            threading.Thread(target=self._await_exit, name=f"oneseat-wait-{popen.pid}", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def start(
        cls,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        run_id: str,
        ended_by: DeathSignal = "INT",
    ) -> Child:
        """Start ``argv`` in ``cwd`` with exactly ``env`` plus the run's marker. Raises ``OSError`` when it cannot start.

        The child gets its own session, so a Ctrl-C at the terminal reaches this process only. ``ended_by`` is the signal the
        child gets when this process dies.
        """
        popen = subprocess.Popen(
            with_death_signal(argv, ended_by),
            env={**env, MARKER: run_id},
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        _running.add(popen.pid)
        _enlarge_pipe(popen.stdout)
        return cls(popen, run_id)

    @property
    def pid(self) -> int:
        """The process id of the child itself."""
        return self._popen.pid

    @property
    def stdin(self) -> tuple[int, int] | None:
        """Device and number of the pipe that is its stdin; ``None`` once that is closed, and where pipes have none."""
        stdin = self._popen.stdin
        if sys.platform == "win32" or stdin is None or stdin.closed:
            return None
        found = os.fstat(stdin.fileno())
        return found.st_dev, found.st_ino

    @property
    def returncode(self) -> int | None:
        """The exit status (negative: the signal that ended it), ``None`` while it runs."""
        return self._popen.returncode

    @property
    def exited(self) -> bool:
        """Whether the child has ended and been reaped."""
        return self._exited.is_set()

    def stderr_tail(self) -> Tail:
        """The last 64 kB of stderr. Not redacted."""
        return Tail(bytes(self._errors).decode("utf-8", "replace"), self._errors_cut)

    async def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdin without blocking the event loop. Raises ``BrokenPipeError`` when stdin is closed."""
        async with self._write_lock:
            if self._fits_pipe(len(data)):
                self._write_all(data)
            else:
                await asyncio.to_thread(self._write_all, data)

    async def blocks(self) -> AsyncGenerator[bytes | OversizedLine, None]:
        """Yield stdout until the child closes it, in blocks of whole lines, without the newline of the last one.

        Where a reader is cancelled, the next call goes on, also in the middle of a line.
        """
        splitter = self._splitter
        while chunk := await self._output.take():
            for block in splitter.feed(chunk):
                yield block
        for rest in splitter.flush():
            yield rest

    async def batches(self) -> AsyncGenerator[list[bytes | OversizedLine], None]:
        """Yield the lines of each block of ``blocks`` as one list."""
        async with contextlib.aclosing(self.blocks()) as blocks:
            async for block in blocks:
                lines: list[bytes | OversizedLine] = []
                lines += [block] if isinstance(block, OversizedLine) else lines_of(block)
                if lines:
                    yield lines

    async def note_descendants(self) -> None:
        """Remember what the child has started so far, to end it even if the child dies and the marker is gone."""
        self._descendants += await asyncio.to_thread(descendants, self.pid)

    def close_stdin(self) -> None:
        """Close the child's stdin."""
        _close(self._popen.stdin)

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the child to exit, at most ``timeout_s`` seconds. Returns whether it did."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._exited.wait()
        except TimeoutError:
            return False
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the child only, not to its descendants."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill the child and everything it started, at once and without an event loop. Does nothing after ``end``."""
        # The pid of a reaped child may belong to an unrelated process by now.
        found = descendants(self.pid) if self._popen.poll() is None else []
        kill_marked(self._run_id, self._descendants + found)

    async def end(self, grace_s: float) -> None:
        """End the child and everything it started; returns when none of it is left.

        Closes stdin and waits ``grace_s`` seconds for the child to exit, then sends SIGINT, SIGTERM and SIGKILL, one second
        apart, then kills every process that carries the run's marker.
        """
        # Taken now: once the child is dead, a descendant that dropped the marker can no longer be found.
        found = self._descendants + await asyncio.to_thread(descendants, self.pid)
        self.close_stdin()
        if not await self.wait(grace_s):
            found += await asyncio.to_thread(descendants, self.pid)
            for number in _end_signals():
                self.signal(number)
                if await self.wait(1.0):
                    break
        await asyncio.to_thread(kill_marked, self._run_id, found)
        await self._exited.wait()
        # Tools that kept the pipes open are dead now, so the reader threads reach the end of their streams.
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            # An unrelated process that inherited a pipe can hold it open for ever; the thread is a daemon and stops with us.
            thread.join(_JOIN_S)

    def _fits_pipe(self, size: int) -> bool:
        """Whether a write of ``size`` bytes cannot block. A thread for each short line would cost a quarter of a millisecond."""
        stdin = self._popen.stdin
        if sys.platform == "win32" or stdin is None or stdin.closed or size > select.PIPE_BUF:
            return False
        poll = select.poll()
        poll.register(stdin.fileno(), select.POLLOUT)
        return poll.poll(0) == [(stdin.fileno(), select.POLLOUT)]

    def _write_all(self, data: bytes) -> None:
        stdin = self._popen.stdin
        if stdin is None or stdin.closed:
            raise BrokenPipeError
        view = memoryview(data)
        try:
            while view:
                view = view[stdin.write(view) :]
        except ValueError as error:  # closed from the loop while this thread was writing
            raise BrokenPipeError from error

    def _drain_output(self) -> None:
        try:
            for chunk in _chunks(self._popen.stdout):
                self._received += len(chunk)
                self._output.put(chunk)
        finally:
            self._output.close()

    def _drain_errors(self) -> None:
        for chunk in _chunks(self._popen.stderr):
            self._errors += chunk
            self._errors_cut = self._errors_cut or len(self._errors) > _STDERR_BYTES
            del self._errors[:-_STDERR_BYTES]

    def _await_exit(self) -> None:
        self._popen.wait()
        _running.discard(self.pid)
        # The last lines of stderr say why it died, and on a busy machine the exit is seen first. The limit is for a descendant
        # that holds the pipe open.
        self._threads[1].join(_STDERR_WAIT_S)
        with contextlib.suppress(RuntimeError):  # the loop is already closed, so nothing waits for this
            self._loop.call_soon_threadsafe(self._exited.set)
        # A tool in a session of its own can hold the pipe open for hours after the child has died.
        drained = self._threads[0]
        while drained.is_alive():
            before = self._received
            drained.join(_QUIET_S)
            if self._received == before:
                self._output.close()
                return


def is_child(pid: int) -> bool:
    """Whether a ``Child`` of this process has this pid."""
    return pid in _running


def _chunks(stream: IO[bytes] | None) -> Iterator[bytes]:
    if stream is None:
        return
    with stream, contextlib.suppress(OSError):
        while chunk := os.read(stream.fileno(), _READ_BYTES):
            yield chunk


def _enlarge_pipe(stream: IO[bytes] | None) -> None:
    # A pipe holds 64 kB by default. With 1 MB a child that prints much is blocked less often: measured, a quarter more events
    # per second.
    if sys.platform == "linux" and stream is not None:
        with contextlib.suppress(OSError):  # above the system's limit
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _READ_BYTES)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()


def _end_signals() -> tuple[int, ...]:
    if sys.platform == "win32":
        return (signal.SIGTERM,)
    return (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
