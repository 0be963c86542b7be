"""A number of places that processes share, given in the order in which they were asked for. Whoever dies gives his back."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from .file_lock import release, take
from .paths import home_error

#: How often the first in the queue looks, in seconds.
_POLL_S = 0.05


class Place:
    """A place, or the wish for one: ``taken`` says whether it is there or none is needed, else ``wait`` for it."""

    def __init__(self, places: Places) -> None:
        self.taken = False
        self._places = places
        self._held: tuple[int, Path] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self) -> None:
        """Wait for a place, after those who came first. Raises ``UsageError`` when the files cannot be made."""
        if self.taken:
            return
        async with self._places.queued() as is_first:
            while True:
                if self.take(is_first):
                    return
                await asyncio.sleep(_POLL_S)

    def take(self, is_first: Callable[[], bool]) -> bool:
        """Take a place if one is needed and free, and ``is_first`` says that nobody came before. Returns ``taken``."""
        if not self._places.needed():
            self.taken = True
        elif is_first():
            self._held = self._places.free_one()
            self.taken = self._held is not None
            if self.taken and self._places.longest_s is not None:
                self._timer = asyncio.get_running_loop().call_later(self._places.longest_s, self.release)
        return self.taken

    def release(self) -> None:
        """Give the place back. Does nothing where none is held."""
        if self._timer is not None:
            self._timer.cancel()
        if self._held is not None:
            release(*self._held)
            self._held = None


class Places:
    """``count`` places in ``folder``, which is made when it is first needed.

    ``needed`` is asked again and again: when it says no, those who wait go on without a place. Nobody keeps one for longer
    than ``longest_s`` seconds.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        needed: Callable[[], bool] = lambda: True,
        longest_s: float | None = None,
    ) -> None:
        self.needed = needed
        self.longest_s = longest_s
        self._folder = folder
        self._count = count
        # Of many runs in one program one looks at the files, and the others wait for it in memory.
        self._door = asyncio.Lock()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A place, where one is free at once; given back at the end. Raises ``UsageError`` when the files cannot be made."""
        place = Place(self)
        place.take(lambda: not self._door.locked() and self._nobody_before("~"))
        try:
            yield place
        finally:
            place.release()

    @asynccontextmanager
    async def queued(self) -> AsyncIterator[Callable[[], bool]]:
        """Stand in the queue; yields what says whether nobody is before us any more."""
        async with self._door:
            # In the order of the clock. One that is set changes who is first, never how many go on.
            name = f"{time.time_ns():020}-{uuid.uuid4().hex}.wait"
            ticket = await self._ticket(name)
            try:
                yield lambda: self._nobody_before(name)
            finally:
                release(ticket, self._folder / name)

    async def _ticket(self, name: str) -> int:
        while True:
            ticket = self._take(name)
            if ticket is not None:
                return ticket
            # Somebody looks at this very moment whether it is alive.
            await asyncio.sleep(_POLL_S)

    def free_one(self) -> tuple[int, Path] | None:
        """The lock of a free place; ``None`` when there is none."""
        for number in range(self._count):
            name = f"{number}.lock"
            descriptor = self._take(name)
            if descriptor is not None:
                return descriptor, self._folder / name
        return None

    def _nobody_before(self, name: str) -> bool:
        earlier = sorted(path.name for path in self._folder.glob("*.wait") if path.name < name)
        return not any(self._is_alive(other) for other in earlier)

    def _is_alive(self, name: str) -> bool:
        descriptor = self._take(name)
        if descriptor is None:
            return True
        release(descriptor, self._folder / name)
        return False

    def _take(self, name: str) -> int | None:
        path = self._folder / name
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return take(path)
        except OSError as error:
            raise home_error(error, path) from None
