"""One started app-server with its private folder. It may serve one run, or several one after the other."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from oneseat.contract.codex_names import codex_name
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.host.child import Child
from oneseat.host.process_tree import descendants
from oneseat.host.sighting import Sighting, look_at

from .channel import Channel


class Start(msgspec.Struct, frozen=True):
    """How a process is started. ``marker`` is inherited by all that it starts; ``addresses`` are the ones oneseat set."""

    argv: list[str]
    env: Mapping[str, str]
    cwd: str
    marker: str
    addresses: dict[str, str]


class CodexProcess:
    """A running app-server. Make it with ``start``; ``end`` or ``kill`` it, whatever happened.

    What is learned of it outlives a run: its ``version`` (``None`` until it was opened), its ``thread`` and the ``model`` of that.
    """

    def __init__(self, child: Child, channel: Channel, start: Start, private: Path) -> None:
        self.child = child
        self.channel = channel
        self.marker = start.marker
        self.addresses = start.addresses
        self.opened = False
        self.version: str | None = None
        self.thread: str | None = None
        self.model: str | None = None
        self._env = start.env
        self._private = private

    @classmethod
    def start(cls, start: Start, private: Path, redact: Callable[[str], str]) -> CodexProcess:
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

    def look(self) -> Sighting:
        """What the process really runs with, and everything below it: a script around the CLI starts another one."""
        below = [process.pid for process in descendants(self.child.pid)]
        seen = [
            look_at(self.child.pid, pid, self.marker, self._env, codex_name)
            for pid in (None, *(below if self.thread is None else ()))
        ]
        return Sighting(
            sources=tuple(dict.fromkeys(source for each in seen for source in each.sources)),
            readable=all(each.readable for each in seen),
            strange=next((each.strange for each in seen if each.strange is not None), None),
        )

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
