"""Lines that a person types, or that a pipe delivers."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

from oneseat.cli.output import complain

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
                with _ordinary_interrupt():
                    line = input(_PROMPT) if self.at_terminal else self._next()
            except EOFError:
                if self.at_terminal:
                    complain("\n")
                return
            except KeyboardInterrupt:
                complain("\n")
                if stopped or not self.at_terminal:
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
def _ordinary_interrupt() -> Iterator[None]:
    """Let Ctrl-C interrupt a line that is being typed: the event loop would hear of it only when the line is there."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
