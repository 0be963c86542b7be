"""One run at a time per project, across processes. The system itself frees the lock of a process that died."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, UsageError

from .file_lock import release, take
from .paths import home_error
from .processes.tree import end_leftover, is_above

#: How often a waiting run tries again, in seconds.
_POLL_S = 0.05
_MAX_BYTES = 200


class Holder(NamedTuple):
    """Who holds a lock, as its file says. For a server, ``run_id`` is the moment it started."""

    pid: int
    run_id: str


class ProjectLocks:
    """The locks of the projects in ``folder``, which is made when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def held(self, project: str, run_id: str, wait_s: float) -> AsyncIterator[None]:
        """Hold a project for a run, waiting up to ``wait_s`` seconds while another run has it, unless this one is inside of it.

        Raises ``UsageError`` ``usage.project_busy`` with the holder, or ``usage.home_*`` when the file cannot be made.
        """
        path = self._folder / f"{project}.lock"
        descriptor = await self._take(project, path, wait_s)
        try:
            died = _holder(descriptor)
            sign(descriptor, run_id)
            if died is not None:
                # A holder that ends in an orderly way takes its name with it. What a killed one started may still be
                # at work on the same conversation.
                await asyncio.to_thread(end_leftover, died.run_id)
            yield
        finally:
            release(descriptor, path)

    async def _take(self, project: str, path: Path, wait_s: float) -> int:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                descriptor = take(path)
            except OSError as error:
                raise home_error(error, path) from None
            if descriptor is not None:
                return descriptor
            holder = holder_of(path)
            # A tool of the holder that waited for the holder would wait for itself.
            inside = holder is not None and is_above(holder.pid)
            if inside or loop.time() >= deadline:
                raise _busy(project, holder, inside=inside)
            await asyncio.sleep(_POLL_S)


def sign(descriptor: int, run_id: str) -> None:
    """Write who holds a lock into its file."""
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, f"{os.getpid()} {run_id}\n".encode())


def _holder(descriptor: int) -> Holder | None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    pid, _, run_id = os.read(descriptor, _MAX_BYTES).decode("utf-8", "replace").strip().partition(" ")
    return Holder(int(pid), run_id) if pid.isascii() and pid.isdigit() and run_id else None


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock of a file, as far as it says so."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


def _busy(project: str, holder: Holder | None, *, inside: bool) -> UsageError:
    who = (
        f"run `{holder.run_id}` of process {holder.pid} holds it"
        if holder
        else "it is just starting or ending"
    )
    hint: str | None = f"Wait for it: `oneseat run --project {project} --wait ...`"
    if inside:
        who, hint = f"{who}, and this run was started inside of it", None
    return UsageError(
        ErrorInfo(
            code="usage.project_busy",
            message=f"Another run of this project is going on: `{project}`\n  {who}",
            hint=hint,
            whose_turn="you" if inside else "wait",
        )
    )
