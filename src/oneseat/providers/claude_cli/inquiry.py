"""What a process says of its login and its settings, asked now, or a moment ago while nothing has changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from oneseat.contract.errors import OneseatError
from oneseat.host import credentials

if TYPE_CHECKING:
    from .channel import OtherLine
    from .process import CliProcess

#: How old the answer to a question that was asked ahead may be, in seconds.
_FRESH_S = 300.0
#: How old it becomes while nobody wants it.
_RENEW_S = 240.0


class Inquiry(NamedTuple):
    """The answers to ``initialize`` and ``get_settings``."""

    opened: dict[str, Any]
    settings: dict[str, Any]


async def inquire(process: CliProcess, other: OtherLine, **options: Any) -> Inquiry:
    """Ask a process who pays; nothing is sent upstream. ``options`` go with ``initialize``, which heeds them the first time.

    Raises ``OneseatError`` (``provider.*``) when the CLI dies or prints what cannot be read.
    """
    first = await process.channel.send("initialize", **options)
    second = await process.channel.send("get_settings")
    return Inquiry(
        await process.channel.answer(first, other),
        await process.channel.answer(second, other),
    )


class Ahead:
    """An inquiry made before a run of a process, so that the run need not wait for it.

    ``ask`` makes it; by default it is ``inquire``. ``wanted`` is whether a run waits for it.
    """

    def __init__(
        self, process: CliProcess, ask: Callable[[Ahead], Coroutine[Any, Any, Inquiry]] | None = None
    ) -> None:
        self.wanted = False
        self._process = process
        self._stamps = credentials.stamps(process.env, process.cwd)
        self._task = asyncio.ensure_future(ask(self) if ask else inquire(process, lambda _: None))
        self._asked = asyncio.get_running_loop().time()

    @property
    def outdated(self) -> bool:
        """Whether the answer will soon be of no use, or is of none: then it is time to ask anew."""
        return self._task.done() and (self._age() > _RENEW_S or self._changed())

    async def fails(self) -> bool:
        """Wait for the answers; whether there are none."""
        await asyncio.wait({self._task})
        return self._task.cancelled() or self._task.exception() is not None

    async def result(self) -> Inquiry | None:
        """The answers, unless a file that decides who pays has changed since, or they are old. The CLI is free when it returns."""
        self.wanted = True
        try:
            found = await self._task
        except OneseatError:
            return None  # asked again, the CLI fails again, and then it is the run that says so
        return None if self._changed() or self._age() > _FRESH_S else found

    def cancel(self) -> None:
        """Nobody will ask for the result."""
        self._task.cancel()

    def _changed(self) -> bool:
        return credentials.stamps(self._process.env, self._process.cwd) != self._stamps

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._asked


def can_be_asked_ahead(process: CliProcess) -> bool:
    """Whether a change of the login would show in a file. A token of the environment does not change; a keychain tells nobody."""
    config_dir = credentials.Places.find(process.env, process.cwd).config_dir
    return credentials.login_facts(process.env, config_dir).kind != "keychain"
