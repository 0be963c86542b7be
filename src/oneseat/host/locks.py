"""File locks across processes: one run per project, one server per home. The system frees the lock of a process that died."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, UsageError

from .paths import home_error
from .processes.tree import is_ancestor, pid_space, remove_leftovers

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: How often a waiting process tries again, in seconds.
_POLL_S = 0.05
_MAX_BYTES = 200
#: How long a new server may take to write its name after it took the lock, in seconds.
_NAMED_S = 1.0
#: The holder is written into the file, so it must not be one that somebody else's link leads to.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
#: On Windows a locked byte cannot be read by others: lock one far behind the holder's name.
_LOCKED_BYTE = 1 << 20


class Holder(NamedTuple):
    """Who holds a lock, according to its file. For a server, ``run_id`` is its start time; ``space`` is where ``pid`` is valid."""

    pid: int
    run_id: str
    space: str = ""


class ProjectLocks:
    """The project locks in ``folder``, which is created on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def held(self, project: str, run_id: str, wait_s: float) -> AsyncIterator[None]:
        """Hold a project's lock for a run; wait up to ``wait_s`` seconds for another run, unless this one is nested in it.

        Raises ``UsageError`` ``usage.project_busy`` with the holder, or ``usage.home_*`` when the file cannot be created.
        """
        path = self._folder / f"{project}.lock"
        descriptor = await self._lock(project, path, wait_s)
        try:
            died = _holder(descriptor)
            write_holder(descriptor, run_id)
            if died is not None:
                # A clean exit removes the file, so this holder was killed: its children may still write to the same session.
                await asyncio.to_thread(remove_leftovers, died.run_id)
            yield
        finally:
            unlock_file(descriptor, path)

    async def _lock(self, project: str, path: Path, wait_s: float) -> int:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                descriptor = lock_file(path)
            except OSError as error:
                raise home_error(error, path) from None
            if descriptor is not None:
                return descriptor
            holder = read_holder(path)
            # A run nested in the holder would deadlock if it waited for it.
            # In another PID namespace its pid is that of somebody else.
            inside = holder is not None and holder.space == pid_space() and is_ancestor(holder.pid)
            if inside or loop.time() >= deadline:
                raise _busy(project, holder, inside=inside)
            await asyncio.sleep(_POLL_S)


@contextmanager
def server_lock(path: Path, since: str) -> Iterator[None]:
    """Hold the lock of the one server of a home; ``since`` is the server's start time.

    Raises ``UsageError`` ``usage.server_running`` with the holder, or ``usage.home_*``.
    """
    try:
        descriptor = lock_file(path)
    except OSError as error:
        raise home_error(error, path) from None
    if descriptor is None:
        raise _running(_named_holder(path))
    try:
        write_holder(descriptor, since)
        yield
    finally:
        unlock_file(descriptor, path)


def lock_file(path: Path, *, create: bool = True) -> int | None:
    """Open and lock a file, created if necessary and with ``create``; ``None`` when another process holds it.

    Raises ``OSError``.
    """
    descriptor = os.open(path, os.O_RDWR | _NO_LINKS | (os.O_CREAT if create else 0), 0o600)
    try:
        # The previous holder may have removed the file between open and lock; a lock on a removed file excludes nobody.
        if _try_lock(descriptor) and _is_at(descriptor, path):
            return descriptor
    except BaseException:  # also Ctrl-C: an open descriptor would keep the lock as long as this process lives
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def wait_until_unlocked(path: Path, limit_s: float) -> bool:
    """Wait up to ``limit_s`` seconds until nobody holds a file's lock; returns whether nobody does."""
    deadline = time.monotonic() + limit_s
    while is_locked(path):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of a file, also where that cannot be known. Changes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        return not _try_lock(descriptor, shared=True)
    except OSError:
        return True
    finally:
        os.close(descriptor)


def unlock_file(descriptor: int, path: Path) -> None:
    """Release what ``lock_file`` returned, and remove the file."""
    if sys.platform == "win32":
        # An open file cannot be removed there; an empty one names no holder either.
        os.ftruncate(descriptor, 0)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
    os.close(descriptor)


def write_holder(descriptor: int, run_id: str) -> None:
    """Write this process and ``run_id`` into a locked file."""
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, f"{os.getpid()} {run_id} {pid_space()}\n".encode())


def read_holder(path: Path) -> Holder | None:
    """Who holds a file's lock; ``None`` when the file is missing or names nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> Holder | None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    pid, run_id, space, *_ = *os.read(descriptor, _MAX_BYTES).decode("utf-8", "replace").split(), "", "", ""
    return Holder(int(pid), run_id, space) if pid.isascii() and pid.isdigit() and run_id else None


def _named_holder(path: Path) -> Holder | None:
    # Of two servers that start at once, the other one has the lock and is about to write its name.
    deadline = time.monotonic() + _NAMED_S
    while (holder := read_holder(path)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return holder


def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            # Shared: of two that only look, neither must take the other one for the owner.
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Windows reports a held lock as a permission error
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _busy(project: str, holder: Holder | None, *, inside: bool) -> UsageError:
    who = (
        f"run `{holder.run_id}` of process {holder.pid} has locked it"
        if holder
        else "it is just starting or ending"
    )
    # The name of a conversation of its own begins with `@` and ends with its directory's hash.
    name = (project[1:].rpartition("-")[0] or "unnamed") if project.startswith("@") else project
    what, again = ("conversation", "") if project.startswith("@") else ("project", f"--project {name} ")
    hint: str | None = f"Wait for it: `oneseat run {again}--wait ...`"
    if inside:
        who, hint = f"{who}, and this run was started inside it", None
    return UsageError(
        ErrorInfo(
            code="usage.project_busy",
            message=f"Another run of this {what} is in progress: `{name}`\n  {who}",
            hint=hint,
            whose_turn="you" if inside else "wait",
        )
    )


def _running(holder: Holder | None) -> UsageError:
    who = f"process {holder.pid}, since {holder.run_id}" if holder else "another process"
    return UsageError(
        ErrorInfo(
            code="usage.server_running",
            message=f"A server is already running for this home: `{who}`",
            hint="Check it: `oneseat status`; stop it: `oneseat serve --stop`",
        )
    )
