"""The preflight of a run: what a process says of its login and settings, asked now, or recently while nothing changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from oneseat.contract.errors import OneseatError

from . import credentials

if TYPE_CHECKING:
    from .channel import OtherLine
    from .process import CliProcess

#: Until what age the answers of a prefetch are used, in seconds.
_FRESH_S = 300.0
#: At what age an idle process is asked again, in seconds.
_RENEW_S = 240.0


class Preflight(NamedTuple):
    """The answers to ``initialize`` and ``get_settings``."""

    opened: dict[str, Any]
    settings: dict[str, Any]


async def run_preflight(process: CliProcess, other: OtherLine, **options: Any) -> Preflight:
    """Ask a process who pays; nothing is sent upstream. ``options`` go with ``initialize``, which only heeds the first ones.

    Raises ``OneseatError`` (``provider.*``) when the CLI dies or prints what cannot be read.
    """
    first = await process.channel.send("initialize", **options)
    second = await process.channel.send("get_settings")
    found = Preflight(
        await process.channel.answer(first, other),
        await process.channel.answer(second, other),
    )
    process.watch.settle()
    return found


class Prefetch:
    """A preflight that starts before a run arrives, so that the run need not wait for it.

    ``ask`` runs it, by default ``run_preflight``. ``wanted`` says that a run is waiting for the result.
    """

    def __init__(
        self, process: CliProcess, ask: Callable[[Prefetch], Coroutine[Any, Any, Preflight]] | None = None
    ) -> None:
        self.wanted = False
        self._process = process
        self._stamps = process.watch.stamps()
        self._task = asyncio.ensure_future(ask(self) if ask else run_preflight(process, lambda _: None))
        self._asked = asyncio.get_running_loop().time()

    @property
    def outdated(self) -> bool:
        """Whether the answers are unusable, or soon will be: then it is time to ask again."""
        return self._task.done() and (self._age() > _RENEW_S or self._changed())

    async def fails(self) -> bool:
        """Wait for the answers; true when there are none."""
        await asyncio.wait({self._task})
        return self._task.cancelled() or self._task.exception() is not None

    async def result(self) -> Preflight | None:
        """The answers; ``None`` when they are old or a file that decides who pays has changed. The CLI is idle on return."""
        self.wanted = True
        try:
            found = await self._task
        except OneseatError:
            return None  # the run asks again, and reports the error
        return None if self._changed() or self._age() > _FRESH_S else found

    def cancel(self) -> None:
        """Drop the result."""
        self._task.cancel()

    def _changed(self) -> bool:
        return self._process.watch.stamps() != self._stamps

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._asked


def can_prefetch(process: CliProcess) -> bool:
    """Whether a changed login would show in a file. A token in the environment cannot change; a keychain shows nothing."""
    config_dir = credentials.ClaudePaths.find(process.env, process.cwd).config_dir
    return credentials.login_facts(process.env, config_dir).kind != "keychain"
