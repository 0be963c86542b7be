"""Which processes outlive a run, on disk: what a killed oneseat leaves of them is found by this and ended at the next start.

A process that serves one run carries that run's id, and the ledger knows whose it was. One that waits for a run, or serves
several, carries a marker of its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from oneseat.host.paths import home_error

from .tree import is_alive, remove_leftovers, start_time

_MARKER_DIGITS = 6
#: A file of ours is a line; a larger one is damage and not worth reading.
_MAX_BYTES = 1000


class _Owner(msgspec.Struct, frozen=True):
    """The process that answers for the kept one. With its start time, a process id names it for good."""

    pid: int
    started: float


class ProcessRegistry:
    """One small file for each kept process, in ``folder``, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._owner = _Owner(os.getpid(), start_time(os.getpid()))

    def new_marker(self) -> str:
        """A marker for a process to be started, already on disk. Raises ``UsageError`` when that cannot be written."""
        marker = f"kept-{secrets.token_hex(_MARKER_DIGITS)}"
        path = self._folder / marker
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # In one step: another start that reads half a name would take the owner for dead.
            half = self._folder / f".{marker}"
            half.write_bytes(msgspec.json.encode(self._owner))
            half.replace(path)
        except OSError as error:
            raise home_error(error, path) from None
        return marker

    def forget(self, marker: str) -> None:
        """The process with this marker and all that it started are gone."""
        with contextlib.suppress(OSError):
            (self._folder / marker).unlink()

    def sweep(self, alive: Callable[[int, float], bool] = is_alive) -> list[str]:
        """End what dead owners left. Returns the markers of what was looked for."""
        left = [path.name for path in self._files() if (owner := _read(path)) is None or not alive(*owner)]
        for marker in left:
            remove_leftovers(marker)
            self.forget(marker)
        return left

    def _files(self) -> Iterator[Path]:
        # A folder that was never needed holds nothing.
        with contextlib.suppress(OSError):
            yield from (path for path in self._folder.iterdir() if not path.name.startswith("."))


def _read(path: Path) -> tuple[int, float] | None:
    """The owner that a file names; ``None`` when it names nobody."""
    try:
        with path.open("rb") as file:
            owner = msgspec.json.decode(file.read(_MAX_BYTES), type=_Owner)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return owner.pid, owner.started
