"""One line on a terminal's stderr that says how long the run has been going and what it waits for."""

from __future__ import annotations

import asyncio
import sys
import time
from types import TracebackType

from .output import complain, printable

_PERIOD_S = 0.5
_ERASE = "\r\x1b[K"


class StatusLine:
    """Shown only on a terminal. ``pause`` removes it before other output appears there."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled and sys.stderr.isatty()
        self._began = time.monotonic()
        self._what = "checking who pays"
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> StatusLine:
        if self._enabled:
            self._task = asyncio.create_task(self._refresh())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pause()

    def say(self, what: str) -> None:
        """Change what is being waited for."""
        self._what = printable(what).replace("\n", " ")

    def interrupt(self, text: str) -> None:
        """Write ``text`` to stderr in place of the line, which comes back below it."""
        complain((_ERASE if self._task is not None else "") + text)

    def pause(self) -> None:
        """Erase the line and stop; called before the answer is written to the same terminal."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            complain(_ERASE)

    async def _refresh(self) -> None:
        while True:
            elapsed = time.monotonic() - self._began
            complain(f"{_ERASE}{self._what} … {elapsed:.0f} s")
            await asyncio.sleep(_PERIOD_S)
