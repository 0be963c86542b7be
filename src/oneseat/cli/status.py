"""One line on a terminal's stderr that says how long the run has been going and what it waits for."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import TextIO

_PERIOD_S = 0.5
_ERASE = "\r\x1b[K"


class StatusLine:
    """Shown only on a terminal. ``pause`` removes it before other output appears there."""

    def __init__(self, stderr: TextIO, *, enabled: bool) -> None:
        self._stderr = stderr
        self._enabled = enabled and stderr.isatty()
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
        self._what = what

    def pause(self) -> None:
        """Erase the line and stop; called before the answer is written to the same terminal."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._stderr.write(_ERASE)
            self._stderr.flush()

    async def _refresh(self) -> None:
        while True:
            elapsed = time.monotonic() - self._began
            self._stderr.write(f"{_ERASE}{self._what} … {elapsed:.0f} s")
            self._stderr.flush()
            await asyncio.sleep(_PERIOD_S)
