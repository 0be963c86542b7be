"""One started process of an official CLI with its private folder. It serves one run, or several in sequence."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.host.processes.child import Child
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.processes.tree import MARKER

from .lines import Lines
from .process_check import StartedAs

Channel = TypeVar("Channel", bound=Lines[Any])


class Start(msgspec.Struct, frozen=True):
    """How a process is started. ``marker`` is inherited by all its descendants."""

    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    marker: str


class OfficialProcess(Generic[Channel]):
    """A running CLI. Always ``end`` or ``kill`` it, which also removes its folder ``private``.

    ``marker`` is in the environment of the CLI and all that it starts, ``env`` is what it was given, and ``started`` all of it.
    """

    def __init__(self, child: Child, channel: Channel, start: Start, private: Path) -> None:
        self.child = child
        self.channel = channel
        self.marker = start.marker
        self.env = start.env
        self.started = StartedAs(child.pid, start.argv, {**start.env, MARKER: start.marker}, child.stdin)
        self._private = private

    async def end(self, patience_s: float) -> None:
        """End the CLI and everything it started, after at most ``patience_s`` seconds to exit by itself, and remove its folder."""
        await self.child.end(patience_s)
        await self.channel.close()
        await asyncio.to_thread(self._remove_folder)

    async def end_kept(self, patience_s: float, kept: ProcessRegistry) -> None:
        """``end`` a process that has its own marker; see ``kept_marker``."""
        try:
            await self.end(patience_s)
        except BaseException:  # an event loop that is being closed (a second Ctrl-C) cancels this too
            self.kill()
            raise
        finally:
            kept.release(self.marker)

    def kill(self) -> None:
        """``end`` at once and without an event loop, for use while the loop is being closed."""
        self.child.kill()
        self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._private, ignore_errors=True)


@contextmanager
def starting(executable: str) -> Iterator[None]:
    """Turn an ``OSError`` of the start into ``OneseatError`` ``provider.cannot_start``."""
    try:
        yield
    except OSError as error:
        raise OneseatError(
            ErrorInfo(
                code="provider.cannot_start",
                message=f"The official CLI cannot be started: `{executable}`\n  {error.strerror or error}",
                hint="Check the installation: `oneseat doctor`",
            )
        ) from error


@contextmanager
def private_folder(marker: str, kept: ProcessRegistry) -> Iterator[Path]:
    """A folder for the process that is started within this; where that fails, it is removed."""
    private = kept.new_folder(marker)
    try:
        yield private
    except BaseException:  # on an interrupt too: no folder with a simulated login may stay behind
        shutil.rmtree(private, ignore_errors=True)
        raise


@contextmanager
def kept_marker(kept: ProcessRegistry) -> Iterator[str]:
    """A marker for the process that is started in this context and outlives its run. Raises what ``new_marker`` raises."""
    marker = kept.new_marker()
    try:
        yield marker
    except BaseException:  # on an interrupt too: a process that never started must not be searched for
        kept.release(marker)
        raise


def empty_folder(private: Path) -> str:
    """A new, empty working directory for a CLI."""
    folder = private / "work"
    folder.mkdir(mode=0o700)
    return str(folder)
