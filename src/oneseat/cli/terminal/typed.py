"""Lines that a person types, or that a pipe delivers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator

from oneseat.cli.output import complain

from .signals import stop_signals

_PROMPT = "> "


class Typed:
    """The messages of a conversation, one a line. Empty lines are none."""

    def __init__(self) -> None:
        self.at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        if self.at_terminal:
            with contextlib.suppress(ImportError):  # Windows has none: lines are typed all the same
                import readline  # noqa: F401, PLC0415 - it gives `input` editing keys and a history; a pipe has no use for it

    def lines(self) -> Iterator[str]:
        """Each line as it comes. Ends with the input, and at a second Ctrl-C in a row.

        The event loop stands still meanwhile: between two messages nothing waits in it.
        """
        stopped = False
        while True:
            try:
                with _stopped_while_waiting():
                    line = input(_PROMPT) if self.at_terminal else self._next()
            except EOFError:
                if self.at_terminal:
                    complain("\n")
                return
            except KeyboardInterrupt:
                if not self.at_terminal:
                    raise asyncio.CancelledError from None
                complain("\n")
                if stopped:
                    return
                stopped = True
                complain("Ctrl-C again, or Ctrl-D, ends the conversation\n")
                continue
            stopped = False
            if line.strip():
                yield line

    def _next(self) -> str:
        line = sys.stdin.buffer.readline()
        if not line:
            raise EOFError
        return line.decode("utf-8-sig", "surrogateescape").rstrip("\r\n")


@contextlib.contextmanager
def _stopped_while_waiting() -> Iterator[None]:
    """Let the stop signals end the wait for a line: the event loop would hear of them only when the line is there.

    Ctrl-C raises ``KeyboardInterrupt``, the others ``asyncio.CancelledError``, as in the loop.
    """

    def stop(_number: int, _frame: object) -> None:
        raise asyncio.CancelledError

    before = {number: signal.getsignal(number) for number in stop_signals()}
    wakes = signal.set_wakeup_fd(-1)
    for number in before:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakes)
