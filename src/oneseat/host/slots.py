"""Slots shared by all processes of a home: for concurrent runs, and for starts while a login is about to be renewed.

Each process of the official CLI takes 175 to 250 MB. Each renews an expired login by itself, with a token that is valid for one
renewal: of several that renew at once, all but one are signed out. A slot is a locked file, so the system frees the slot of a
process that died; slots are given in the order of asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from .locks import lock_file, unlock_file
from .paths import create_folder, home_error

#: How often the first in the queue tries, in seconds.
_POLL_S = 0.05
#: A login that expires within this time may be renewed by a run that starts now, in seconds.
_MARGIN_S = 300.0
#: How long one start may make the others wait, in seconds. The CLI gives up a renewal much sooner.
_MAX_START_S = 60.0


class Slot:
    """A slot, or a request for one: ``taken`` says whether it is held or none is needed; otherwise call ``wait``."""

    def __init__(self, pool: SlotPool) -> None:
        self.taken = False
        self._pool = pool
        self._held: tuple[int, Path] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Wait for a slot, after those who asked first. Raises ``UsageError`` when the files cannot be created."""
        if self.taken:
            return
        async with self._pool.queued() as is_first:
            while True:
                if self.take(is_first):
                    return
                await asyncio.sleep(_POLL_S)

    def take(self, is_first: Callable[[], bool]) -> bool:
        """Take a slot if one is needed and free, and ``is_first`` says that nobody asked before. Returns ``taken``."""
        if not self._pool.needed():
            self.taken = True
        elif is_first():
            self._held = self._pool.lock_free_slot()
            self.taken = self._held is not None
            if self.taken and self._pool.max_s is not None:
                self._timer = asyncio.get_running_loop().call_later(self._pool.max_s, self.release)
        return self.taken

    def release(self) -> None:
        """Release the slot. Does nothing when none is held."""
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None:
            unlock_file(*self._held)
            self._held = None


class SlotPool:
    """``count`` slots in ``folder``, which is created on first use.

    ``needed`` is called again and again: once it returns false, those who wait go on without a slot. A slot is released after
    ``max_s`` seconds at the latest.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        needed: Callable[[], bool] = lambda: True,
        max_s: float | None = None,
    ) -> None:
        self.needed = needed
        self.max_s = max_s
        self._folder = folder
        self._count = count
        # Only one run of this process polls the files; the others wait for it in memory.
        self._polling = asyncio.Lock()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """A slot, taken if one is free now; released at the end. Raises ``UsageError`` when the files cannot be created."""
        slot = Slot(self)
        slot.take(lambda: not self._polling.locked() and self._nobody_before("~"))
        try:
            yield slot
        finally:
            slot.release()

    @asynccontextmanager
    async def queued(self) -> AsyncIterator[Callable[[], bool]]:
        """Join the queue; yields a function that says whether this is the first in it."""
        async with self._polling:
            # Ordered by the wall clock: setting it changes who is first, never how many run.
            name = f"{time.time_ns():020}-{uuid.uuid4().hex}.wait"
            ticket = await self._ticket(name)
            try:
                yield lambda: self._nobody_before(name)
            finally:
                unlock_file(ticket, self._folder / name)

    async def _ticket(self, name: str) -> int:
        while True:
            ticket = self._lock(name)
            if ticket is not None:
                return ticket
            # Another process holds it for a moment to see whether its owner is alive.
            await asyncio.sleep(_POLL_S)

    def lock_free_slot(self) -> tuple[int, Path] | None:
        """Lock a free slot; ``None`` when there is none."""
        for number in range(self._count):
            name = f"{number}.lock"
            descriptor = self._lock(name)
            if descriptor is not None:
                return descriptor, self._folder / name
        return None

    def _nobody_before(self, name: str) -> bool:
        earlier = sorted(path.name for path in self._folder.glob("*.wait") if path.name < name)
        return not any(self._is_alive(other) for other in earlier)

    def _is_alive(self, name: str) -> bool:
        descriptor = self._lock(name)
        if descriptor is None:
            return True
        unlock_file(descriptor, self._folder / name)
        return False

    def _lock(self, name: str) -> int | None:
        path = self._folder / name
        try:
            create_folder(self._folder)
            return lock_file(path)
        except OSError as error:
            raise home_error(error, path) from None


class FileSlots:
    """Implements ``RunSlots`` with locks in ``folder``.

    At most ``at_once`` runs go on at a time at each ``depth``: a nested run that needed the slot of the run around it would
    wait for ever. ``expires_at`` returns when the login of a provider in a directory expires, in seconds since the epoch,
    ``None`` when that is not known; ``now`` returns the time in the same unit.
    """

    def __init__(
        self,
        folder: Path,
        *,
        at_once: int,
        depth: int,
        expires_at: Callable[[str, str], float | None],
        now: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._runs = SlotPool(folder / f"runs-{depth}", at_once)
        self._expires_at = expires_at
        self._now = now

    def run(self) -> AbstractAsyncContextManager[Slot]:
        """A slot for a run."""
        return self._runs.slot()

    def start(self, provider: str, cwd: str) -> AbstractAsyncContextManager[Slot]:
        """The only slot for a start that may renew a provider's login in ``cwd``; not needed while the login is valid for long."""

        def may_renew() -> bool:
            return expires_soon(self._expires_at(provider, cwd), self._now())

        return SlotPool(self._folder / f"renewal-{provider}", 1, may_renew, _MAX_START_S).slot()


def expires_soon(expires_at: float | None, now: float) -> bool:
    """Whether a process that starts now may renew the login. Both in seconds since the epoch; ``None`` is not known."""
    return expires_at is not None and expires_at - now < _MARGIN_S


def clear_slots(folder: Path) -> None:
    """Remove the slot and queue files of dead processes. Only tidiness: a file that nobody locks is as free as a missing one."""
    for path in folder.glob("*/*.*"):
        # A locked file has a live owner; a vanished one needs no cleanup.
        with contextlib.suppress(OSError):
            descriptor = lock_file(path)
            if descriptor is not None:
                unlock_file(descriptor, path)
