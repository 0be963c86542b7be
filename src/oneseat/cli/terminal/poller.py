"""Waits for a server, for signals and for stdout at once, without a thread and without an event loop."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from oneseat.cli.output import can_be_left

from .signals import stop_signals


class Ready(NamedTuple):
    """What a wait ended with. ``gone`` is a reader of stdout that left."""

    server: bool = False
    stdout: bool = False
    gone: bool = False


class Waiting:
    """Use as a context manager: inside, a stop signal only wakes the wait and sets ``stopped``."""

    def __init__(self, server: socket.socket) -> None:
        self.stopped = False
        self._server = server
        self._stdout = sys.stdout.fileno()
        self._heard, self._bell = socket.socketpair()
        self._before: list[tuple[int, Callable[[int, FrameType | None], Any] | int | None]] = []

    def __enter__(self) -> Waiting:
        for end in (self._heard, self._bell):
            end.settimeout(0)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        self._before = [(number, signal.signal(number, self._stop)) for number in stop_signals()]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self._heard.close()
        self._bell.close()

    def wake(self) -> None:
        """End the wait that goes on, from another thread."""
        self._bell.send(b"\0")

    def wait(self, *, server: bool, stdout: bool, limit_s: float | None) -> Ready:
        """Wait until the server has said something, stdout takes more, its reader left, or a signal came."""
        ready = self._wait(server=server, stdout=stdout, limit_s=limit_s)
        with contextlib.suppress(BlockingIOError):
            self._heard.recv(4096)
        return ready

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopped = True

    if sys.platform == "win32":

        def _wait(self, *, server: bool, stdout: bool, limit_s: float | None) -> Ready:
            # Only sockets can be waited for there: stdout is taken to be ready, and a write to it waits.
            readers = [self._heard, *([self._server] if server else [])]
            found, _, _ = select.select(readers, [], [], 0 if stdout else limit_s)
            return Ready(server=self._server in found, stdout=stdout)

    else:

        def _wait(self, *, server: bool, stdout: bool, limit_s: float | None) -> Ready:
            poll = select.poll()
            poll.register(self._heard, select.POLLIN)
            if server:
                poll.register(self._server, select.POLLIN)
            watched = stdout or can_be_left(self._stdout)
            if watched:
                # Without an event asked for, a pipe still tells that its reader is gone.
                poll.register(self._stdout, select.POLLOUT if stdout else 0)
            found = dict(poll.poll(None if limit_s is None else limit_s * 1000))
            state = found.get(self._stdout, 0)
            return Ready(
                server=self._server.fileno() in found,
                stdout=bool(state & select.POLLOUT),
                gone=bool(state & (select.POLLERR | select.POLLHUP)),
            )
