"""How many runs go on at once, and who begins first while the login is about to be renewed. Across processes.

Each process of the official CLI takes 175 to 250 MB. And each renews an expired login by itself, with a token that is good for
one renewal: of several that do so at once, all but one are signed out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from .file_lock import release, take
from .places import Place, Places

#: A login that expires within this time may be renewed by a run that begins now, in seconds.
_MARGIN_S = 300.0
#: How long one start may keep the others waiting, in seconds. The CLI gives a renewal up much sooner.
_LONGEST_S = 60.0


class FileLanes:
    """Implements ``Lanes`` with locks in ``folder``.

    ``at_once`` runs go on at a time, counted apart at each ``depth``: a run inside of a run that waited for the place of its own
    outer run would wait for ever. ``expires_at`` tells until when the login of a provider in a directory is good, in seconds since
    the epoch, ``None`` where that is not known; ``now`` is the time in the same seconds.
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
        self._runs = Places(folder / f"runs-{depth}", at_once)
        self._expires_at = expires_at
        self._now = now

    def run(self) -> AbstractAsyncContextManager[Place]:
        """A place among the runs that go on."""
        return self._runs.place()

    def start(self, provider: str, cwd: str) -> AbstractAsyncContextManager[Place]:
        """The only place of a start that may renew a provider's login in ``cwd``. Nobody needs it while that is good for long."""

        def may_renew() -> bool:
            return near_its_end(self._expires_at(provider, cwd), self._now())

        return Places(self._folder / f"renewal-{provider}", 1, may_renew, _LONGEST_S).place()


def near_its_end(expires_at: float | None, now: float) -> bool:
    """Whether a process that starts now may renew a login. Both in seconds since the epoch; ``None`` is not known."""
    return expires_at is not None and expires_at - now < _MARGIN_S


def clear_places(folder: Path) -> None:
    """Take away the files of places that dead runs held or waited for; a place with such a file is as free as one without."""
    for path in folder.glob("*/*.*"):
        # A file that is held belongs to somebody alive; one that is gone meanwhile needs nobody.
        with contextlib.suppress(OSError):
            descriptor = take(path)
            if descriptor is not None:
                release(descriptor, path)
