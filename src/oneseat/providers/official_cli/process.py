"""One started process of an official CLI with its private folder. It may serve one run, or several one after the other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.host.processes.child import Child
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.processes.tree import private_prefix

from .lines import Lines

Channel = TypeVar("Channel", bound=Lines[Any])


class Start(msgspec.Struct, frozen=True):
    """How a process is started. ``marker`` is inherited by all that it starts."""

    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    marker: str


class OfficialProcess(Generic[Channel]):
    """A running CLI: ``end`` or ``kill`` it, whatever happened; its folder ``private`` is removed with it.

    ``marker`` is what its whole family carries, ``env`` what it was given.
    """

    def __init__(self, child: Child, channel: Channel, start: Start, private: Path) -> None:
        self.child = child
        self.channel = channel
        self.marker = start.marker
        self.env = start.env
        self._private = private

    async def end(self, patience_s: float) -> None:
        """End the CLI and all that it started, which may take ``patience_s`` seconds to leave, and remove its folder."""
        await self.child.end(patience_s)
        await self.channel.close()
        await asyncio.to_thread(self._remove_folder)

    async def end_kept(self, patience_s: float, kept: ProcessRegistry) -> None:
        """The same for one with a marker of its own; see ``kept_marker``."""
        try:
            await self.end(patience_s)
        except BaseException:  # a loop that is torn down (a second Ctrl-C) cancels the ending too
            self.kill()
            raise
        finally:
            kept.forget(self.marker)

    def kill(self) -> None:
        """The same at once and without an event loop, for a loop that is being torn down."""
        self.child.kill()
        self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._private, ignore_errors=True)


@contextmanager
def starting(executable: str) -> Iterator[None]:
    """What the system says against a start, as an error. Raises ``OneseatError`` ``provider.cannot_start``."""
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
def private_folder(marker: str) -> Iterator[Path]:
    """A folder for the process that is started within this; where that fails, it is removed."""
    private = Path(tempfile.mkdtemp(prefix=private_prefix(marker)))
    try:
        yield private
    except BaseException:  # whatever happened, an interrupt too: no folder with a made-up login stays behind
        shutil.rmtree(private, ignore_errors=True)
        raise


@contextmanager
def kept_marker(kept: ProcessRegistry) -> Iterator[str]:
    """A marker for the process that is started within this and outlives its run. Raises what ``new_marker`` raises."""
    marker = kept.new_marker()
    try:
        yield marker
    except BaseException:  # an interrupt too: what was never started must not be looked for
        kept.forget(marker)
        raise


def empty_folder(private: Path) -> str:
    """A new folder to work in, for a CLI that is to find nothing there."""
    folder = private / "work"
    folder.mkdir(mode=0o700)
    return str(folder)
