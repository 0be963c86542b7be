"""What tests of processes that wait have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import oneseat
from oneseat.contract.warm import WarmProcess

from .driving import Seat


async def until(app: oneseat.App, condition: Callable[[], object]) -> None:
    """Wait for something that comes with a change of the processes that wait."""
    while not condition():
        await app.idle_change()


async def waiting(app: oneseat.App, fits: Callable[[WarmProcess], bool] = lambda _: True) -> WarmProcess:
    """A process that waits for a run and fits."""
    await until(app, lambda: any(map(fits, app.idle)))
    return next(filter(fits, app.idle))


async def ask(app: oneseat.App, prompt: str, **options: Any) -> oneseat.RunResult:
    return await app.run(oneseat.make_request(prompt, **options))


def nothing_left(seat: Seat) -> None:
    seat.assert_nothing_left()
    assert list((seat.home / "data" / "live").iterdir()) == []
