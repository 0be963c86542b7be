"""A registry, on disk, of what a run or a process keeps outside of this process: who is alive, and what a killed oneseat left.

Each entry is a file, named after the marker that the processes inherit, and locked by its owner. The system frees the lock of a
process that died, in every PID namespace that shares the folder; a pid means another process in each of them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from oneseat.host.locks import is_locked, lock_file, unlock_file
from oneseat.host.paths import create_folder, home_error

from .tree import is_alive, pid_space, private_prefix, remove_leftovers

_MARKER_DIGITS = 6
_FOLDER_BYTES = 4
#: An entry is a few lines; the rest of a larger one is not read.
_MAX_BYTES = 100_000
#: How often a file is tried that another start looks at in the same moment, in seconds.
_POLL_S = 0.005
#: The inode of the first PID namespace of a Linux kernel, whose processes see those of all others.
_FIRST_NAMESPACE = 0xEFFFFFFC


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an entry: where its owner runs, a folder, or a process that has lost its marker and its parent."""

    space: str | None = None
    folder: str | None = None
    pid: int | None = None
    started: float = 0.0


_decoder = msgspec.json.Decoder(_Line)


class ProcessRegistry:
    """The entries in ``folder``, which is created on first use. Methods may be called from any thread.

    ``hold`` and ``new_marker`` raise ``UsageError`` when the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, marker: str) -> None:
        """Register a run or a process of this process, before it starts."""
        path = self._folder / marker
        try:
            create_folder(self._folder)
            while (descriptor := lock_file(path)) is None:
                time.sleep(_POLL_S)
            self._held[marker] = descriptor
            os.write(descriptor, _line(_Line(space=pid_space())))
        except OSError as error:
            self.release(marker)
            raise home_error(error, path) from None

    def release(self, marker: str) -> None:
        """Remove an entry: the run or process has ended with everything it started. Does nothing when it is not held here."""
        descriptor = self._held.pop(marker, None)
        if descriptor is not None:
            unlock_file(descriptor, self._folder / marker)

    def release_all(self) -> None:
        """Remove all entries that are held here."""
        for marker in tuple(self._held):
            self.release(marker)

    def new_marker(self) -> str:
        """Hold an entry for a process that serves several runs; returns its marker."""
        marker = f"kept-{secrets.token_hex(_MARKER_DIGITS)}"
        self.hold(marker)
        return marker

    @contextlib.contextmanager
    def new_entry(self) -> Iterator[str]:
        """Hold a new marker within this. Raises like ``new_marker``."""
        marker = self.new_marker()
        try:
            yield marker
        finally:
            self.release(marker)

    def is_held(self, marker: str) -> bool:
        """Whether the owner of an entry is alive, wherever it runs."""
        return is_locked(self._folder / marker)

    def new_folder(self, marker: str) -> Path:
        """Create a private folder for temporary files, noted in the entry first. Raises ``OSError``."""
        name = f"{private_prefix(marker)}{secrets.token_hex(_FOLDER_BYTES)}"
        path = Path(tempfile.gettempdir()).absolute() / name
        # A killed oneseat may have had another TMPDIR than the next one, and the folder can hold secrets.
        self._note(marker, _Line(folder=str(path)))
        path.mkdir(mode=0o700)
        return path

    def note_process(self, marker: str, pid: int, started: float) -> None:
        """Note a process, by its pid and ``start_time``, that neither its environment nor its parent links to ``marker``."""
        self._note(marker, _Line(pid=pid, started=started))

    def sweep(self) -> list[str]:
        """End the processes of dead owners and remove their folders. Returns their markers."""
        return [marker for marker in self._markers() if self._ended(marker)]

    def _ended(self, marker: str) -> bool:
        path = self._folder / marker
        with contextlib.suppress(
            OSError
        ):  # an entry of another user, or one that another start has just removed
            descriptor = lock_file(path, create=False)
            if descriptor is None:
                return False
            try:
                kept = not _clear(marker, _lines(descriptor))
            except BaseException:  # also Ctrl-C: the entry stays for the next start
                os.close(descriptor)
                raise
            if kept:
                os.close(descriptor)
            else:
                unlock_file(descriptor, path)
            return not kept
        return False

    def _note(self, marker: str, line: _Line) -> None:
        # Not created here: an entry that nobody has locked belongs to a dead owner. The doctor holds none, and its home may be
        # one that cannot be used.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            descriptor = os.open(self._folder / marker, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, _line(line))
            finally:
                os.close(descriptor)

    def _markers(self) -> Iterator[str]:
        # A missing folder has no entries.
        with contextlib.suppress(OSError):
            yield from sorted(path.name for path in self._folder.iterdir())


def _clear(marker: str, lines: list[_Line]) -> bool:
    """End what a dead owner left. Returns whether its processes can be seen from here, so that nothing is left of it."""
    space = next((line.space for line in lines if line.space is not None), "")
    remove_leftovers(marker)
    for line in lines:
        if line.folder is not None and Path(line.folder).name.startswith(private_prefix(marker)):
            shutil.rmtree(line.folder, ignore_errors=True)
        if line.pid is not None and space == pid_space() and is_alive(line.pid, line.started):
            with contextlib.suppress(psutil.Error):
                psutil.Process(line.pid).kill()
    boot, _, _ = space.partition("/")
    here, _, namespace = pid_space().partition("/")
    return boot != here or space == pid_space() or namespace == str(_FIRST_NAMESPACE)


def _line(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _lines(descriptor: int) -> list[_Line]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    found = []
    for line in os.read(descriptor, _MAX_BYTES).splitlines():
        with contextlib.suppress(
            msgspec.MsgspecError, UnicodeDecodeError
        ):  # half a line of an owner that was killed
            found.append(_decoder.decode(line))
    return found
