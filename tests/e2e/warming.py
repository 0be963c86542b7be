"""Helpers for tests of waiting processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import oneseat
from oneseat.contract.warm import WarmProcess

from .driving import Seat


async def until(app: oneseat.App, condition: Callable[[], object]) -> None:
    """Wait for a condition that changes with the waiting processes."""
    while not condition():
        await app.idle_change()


async def waiting(app: oneseat.App, fits: Callable[[WarmProcess], bool] = lambda _: True) -> WarmProcess:
    """A waiting process that fits a run."""
    await until(app, lambda: any(map(fits, app.idle)))
    return next(filter(fits, app.idle))


async def ask(app: oneseat.App, prompt: str, **options: Any) -> oneseat.RunResult:
    return await app.run(oneseat.make_request(prompt, **options))


def nothing_left(seat: Seat) -> None:
    seat.assert_nothing_left()
    assert list((seat.home / "data" / "live").iterdir()) == []
