"""The status line on a terminal's stderr: what the run waits for, and for how long it has been running."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from oneseat.cli.output import complain
from oneseat.cli.screen import printable

#: How often the line is drawn anew, in seconds.
PERIOD_S = 0.5
_ERASE = "\r\x1b[K"


class StatusLine:
    """Shown only on a terminal. ``pause`` removes it before other output appears there."""

    def __init__(self, *, enabled: bool) -> None:
        self.shown = enabled and sys.stderr.isatty()
        self._began = time.monotonic()
        self._what = "checking the wallet"
        self._questions = 0
        self._lock = threading.Lock()

    def say(self, what: str) -> None:
        """Change what is being waited for."""
        self._what = printable(what).replace("\n", " ")

    def interrupt(self, text: str) -> None:
        """Write ``text`` to stderr in place of the line, which comes back below it; below a question that waits."""
        with self._lock:
            complain(("\n" if self._questions else _ERASE if self.shown else "") + text)

    def draw(self) -> None:
        """Write the line anew, with the time of now; not while a question waits, which it would erase."""
        with self._lock:
            if self.shown and not self._questions:
                elapsed = time.monotonic() - self._began
                complain(f"{_ERASE}{self._what} … {elapsed:.0f} s")

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Leave the terminal to a question. Called in a thread of its own."""
        with self._lock:
            self._questions += 1
        try:
            yield
        finally:
            with self._lock:
                self._questions -= 1

    def pause(self) -> None:
        """Erase the line and stop; called before the answer is written to the same terminal."""
        if self.shown:
            self.shown = False
            complain(_ERASE)
