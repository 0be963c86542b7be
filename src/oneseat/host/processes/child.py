"""One child process: started from an argument list, fed and drained by threads, ended for certain.

Threads and not the event loop do the pipe work, so a caller that blocks its loop cannot make the child lose output, and
the same code runs on every platform and under any loop.
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
#: How long a drained stream may take to end after every known process is gone, in seconds.
_JOIN_S = 1.0
#: After the death of the child, silence of this length is the end of its output, whoever holds it open, in seconds.
_QUIET_S = 2.0
#: How long the end of stderr may come after the exit, in seconds.
_LAST_WORDS_S = 0.2
#: How much of the end of stderr is kept.
_STDERR_BYTES = 64 * 1024


class Tail(NamedTuple):
    """The end of a text, and whether there was more before it."""

    text: str
    cut: bool


class Child:
    """A running child. Use ``Child.start``; call ``end`` exactly once, whatever happened."""

    def __init__(self, popen: subprocess.Popen[bytes], run_id: str) -> None:
        self._popen = popen
        self._run_id = run_id
        self._loop = asyncio.get_running_loop()
        self._output = ByteQueue(self._loop, _MEMORY_LIMIT)
        self._errors = bytearray()
        self._errors_cut = False
        self._received = 0
        self._exited = asyncio.Event()
        self._family: list[psutil.Process] = []
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

        The child gets its own session, so a Ctrl-C at the terminal reaches us and not the child behind our back. ``ended_by`` is
        the signal it gets when this process dies.
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
        _widen(popen.stdout)
        return cls(popen, run_id)

    @property
    def pid(self) -> int:
        """The process id of the child itself."""
        return self._popen.pid

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
        """Write all of ``data`` to stdin without holding up the event loop. Raises ``BrokenPipeError`` when nobody reads it."""
        async with self._write_lock:
            if self._takes_at_once(len(data)):
                self._write_all(data)
            else:
                await asyncio.to_thread(self._write_all, data)

    async def blocks(self) -> AsyncGenerator[bytes | OversizedLine, None]:
        """Yield stdout as it comes until the child closes it: whole lines, many in one piece, without the newline of the last."""
        splitter = LineSplitter()
        while chunk := await self._output.take():
            for block in splitter.feed(chunk):
                yield block
        for rest in splitter.flush():
            yield rest

    async def batches(self) -> AsyncGenerator[list[bytes | OversizedLine], None]:
        """Yield the lines of ``blocks``, those of each together."""
        async with contextlib.aclosing(self.blocks()) as blocks:
            async for block in blocks:
                lines: list[bytes | OversizedLine] = []
                lines += [block] if isinstance(block, OversizedLine) else lines_of(block)
                if lines:
                    yield lines

    async def note_descendants(self) -> None:
        """Note everything the child has started so far, to end it also when the child is dead and the marker was dropped."""
        self._family += await asyncio.to_thread(descendants, self.pid)

    def close_stdin(self) -> None:
        """Tell the child that no more input will come."""
        _close(self._popen.stdin)

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the exit of the child, at most ``timeout_s`` seconds. Returns whether it ended."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._exited.wait()
        except TimeoutError:
            return False
        return True

    def signal(self, number: int) -> None:
        """Send a signal to the child alone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill the child and everything it started, at once and without an event loop. Does nothing where ``end`` is done."""
        # A child that was reaped has given its pid back: whoever has it now is a stranger.
        family = descendants(self.pid) if self._popen.poll() is None else []
        kill_marked(self._run_id, self._family + family)

    async def end(self, patience_s: float) -> None:
        """End the child and everything it started; returns when none of it is left.

        Closes stdin and gives the child ``patience_s`` seconds to leave by itself, then SIGINT, SIGTERM and SIGKILL, one
        second apart, then kills every process that carries the run's marker.
        """
        # Seen now by parentage: once the child is dead, a descendant that dropped the marker could not be found.
        family = self._family + await asyncio.to_thread(descendants, self.pid)
        self.close_stdin()
        if not await self.wait(patience_s):
            family += await asyncio.to_thread(descendants, self.pid)
            for number in _ladder():
                self.signal(number)
                if await self.wait(1.0):
                    break
        await asyncio.to_thread(kill_marked, self._run_id, family)
        await self._exited.wait()
        # A tool that kept the pipes open is gone now, so these threads see the end of their streams.
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._threads:
            # A stranger that inherited a pipe can hold it open for ever; its thread is a daemon and closes it then.
            thread.join(_JOIN_S)

    def _takes_at_once(self, size: int) -> bool:
        """Whether the pipe has room for a short line. A thread for each would cost a quarter of a millisecond."""
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
        # What a child prints as it dies says why; on a busy machine its exit is seen first. Another one may hold the pipe open.
        self._threads[1].join(_LAST_WORDS_S)
        with contextlib.suppress(RuntimeError):  # the loop is already closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._exited.set)
        # A tool in a session of its own can hold the pipe open for hours after the child has died.
        drained = self._threads[0]
        while drained.is_alive():
            before = self._received
            drained.join(_QUIET_S)
            if self._received == before:
                self._output.close()
                return


def _chunks(stream: IO[bytes] | None) -> Iterator[bytes]:
    if stream is None:
        return
    with stream, contextlib.suppress(OSError):
        while chunk := os.read(stream.fileno(), _READ_BYTES):
            yield chunk


def _widen(stream: IO[bytes] | None) -> None:
    # A pipe holds 64 kB by default. Sixteen times that lets a child that prints much run on while its output is taken in:
    # measured, a quarter more events a second.
    if sys.platform == "linux" and stream is not None:
        with contextlib.suppress(OSError):  # the system's own limit is lower
            fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, _READ_BYTES)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()


def _ladder() -> tuple[int, ...]:
    if sys.platform == "win32":
        return (signal.SIGTERM,)
    return (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
