"""The status line on a terminal's stderr: what the run waits for, and for how long it has been running."""

from __future__ import annotations

import sys
import time

from oneseat.cli.output import complain, printable

#: How often the line is drawn anew, in seconds.
PERIOD_S = 0.5
_ERASE = "\r\x1b[K"


class StatusLine:
    """Shown only on a terminal. ``pause`` removes it before other output appears there."""

    def __init__(self, *, enabled: bool) -> None:
        self.shown = enabled and sys.stderr.isatty()
        self._began = time.monotonic()
        self._what = "checking the wallet"

    def say(self, what: str) -> None:
        """Change what is being waited for."""
        self._what = printable(what).replace("\n", " ")

    def interrupt(self, text: str) -> None:
        """Write ``text`` to stderr in place of the line, which comes back below it."""
        complain((_ERASE if self.shown else "") + text)

    def draw(self) -> None:
        """Write the line anew, with the time of now."""
        if self.shown:
            elapsed = time.monotonic() - self._began
            complain(f"{_ERASE}{self._what} … {elapsed:.0f} s")

    def pause(self) -> None:
        """Erase the line and stop; called before the answer is written to the same terminal."""
        if self.shown:
            self.shown = False
            complain(_ERASE)
