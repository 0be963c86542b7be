"""One started process of the official CLI with its private folder. It may serve one run, or several one after the other."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.host.child import Child

from .channel import Channel


class Start(msgspec.Struct, frozen=True):
    """How a process is started. ``marker`` is inherited by all that it starts; ``model`` is the one in ``argv``."""

    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    model: str
    marker: str


class CliProcess:
    """A running CLI. Make it with ``start``; ``end`` or ``kill`` it, whatever happened.

    ``marker`` is what its whole family carries, ``env`` and ``cwd`` what it was given, ``model`` what it would use now,
    ``began`` when it was started (monotonic seconds). What is learned of it outlives a run: its ``version``, its ``cost`` so
    far (US dollars at list price, ``None`` when not known), whether it was ``opened`` for a run.
    """

    def __init__(self, child: Child, channel: Channel, start: Start, private: Path) -> None:
        self.child = child
        self.channel = channel
        self.marker = start.marker
        self.env = start.env
        self.cwd = start.cwd
        self.model = start.model
        self.executable = start.argv[0]
        self.began = time.monotonic()
        self.version: str | None = None
        self.cost: float | None = 0.0
        self.opened = False
        self._private = private

    @classmethod
    def start(cls, start: Start, private: Path, redact: Callable[[str], str]) -> CliProcess:
        """Start the CLI; ``private`` is removed with it. Raises ``OneseatError`` ``provider.cannot_start``."""
        try:
            child = Child.start(start.argv, env=start.env, cwd=start.cwd, run_id=start.marker)
        except OSError as error:
            raise OneseatError(
                ErrorInfo(
                    code="provider.cannot_start",
                    message=f"The official CLI cannot be started: `{start.argv[0]}`\n  {error.strerror or error}",
                    hint="Check the installation: `oneseat doctor`",
                )
            ) from error
        return cls(child, Channel(child, redact), start, private)

    async def end(self, patience_s: float) -> None:
        """End the CLI and all that it started, which may take ``patience_s`` seconds to leave, and remove its folder."""
        await self.child.end(patience_s)
        await self.channel.close()
        await asyncio.to_thread(self._remove_folder)

    def kill(self) -> None:
        """The same at once and without an event loop, for a loop that is being torn down."""
        self.child.kill()
        self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._private, ignore_errors=True)
