"""A registry, on disk, of processes that outlive a run: the next start finds and ends those that a killed oneseat left.

A process of a single run carries that run's id, which the ledger knows. A warm process, or one that serves several runs, has a
marker of its own, and a file here.
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
#: A valid file is one line; a larger one is damaged.
_MAX_BYTES = 1000


class _Owner(msgspec.Struct, frozen=True):
    """The oneseat process that started it, identified by pid and start time."""

    pid: int
    started: float


class ProcessRegistry:
    """One small file for each registered process, in ``folder``, which is created on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._owner = _Owner(os.getpid(), start_time(os.getpid()))

    def new_marker(self) -> str:
        """Register a process before it starts; returns its marker. Raises ``UsageError`` when the file cannot be written."""
        marker = f"kept-{secrets.token_hex(_MARKER_DIGITS)}"
        path = self._folder / marker
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Renamed into place: another start that read half a file would take the owner for dead.
            partial = self._folder / f".{marker}"
            partial.write_bytes(msgspec.json.encode(self._owner))
            partial.replace(path)
        except OSError as error:
            raise home_error(error, path) from None
        return marker

    def forget(self, marker: str) -> None:
        """Remove the entry of a process that has ended with everything it started."""
        with contextlib.suppress(OSError):
            (self._folder / marker).unlink()

    def sweep(self, alive: Callable[[int, float], bool] = is_alive) -> list[str]:
        """End the processes of owners that are not ``alive``. Returns their markers."""
        left = [path.name for path in self._files() if (owner := _read(path)) is None or not alive(*owner)]
        for marker in left:
            remove_leftovers(marker)
            self.forget(marker)
        return left

    def _files(self) -> Iterator[Path]:
        # A missing folder has no entries.
        with contextlib.suppress(OSError):
            yield from (path for path in self._folder.iterdir() if not path.name.startswith("."))


def _read(path: Path) -> tuple[int, float] | None:
    """The pid and start time in a file; ``None`` when it is damaged."""
    try:
        with path.open("rb") as file:
            owner = msgspec.json.decode(file.read(_MAX_BYTES), type=_Owner)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return owner.pid, owner.started
