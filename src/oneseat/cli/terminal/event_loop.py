"""Work in an event loop that a stop signal cancels where it waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .signals import stop_signals

T = TypeVar("T")


def run_stoppable(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in an event loop of its own; a stop signal cancels it where it waits.

    An exception out of a signal handler could strike between the start of a child and the line that takes care of its end.
    Raises ``asyncio.CancelledError`` when it was stopped.
    """
    return asyncio.run(_cancelled_by_signals(work))


async def _cancelled_by_signals(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in the loop
        for number in stop_signals():
            asyncio.get_running_loop().add_signal_handler(number, canceller(task))
    return await work


def canceller(task: asyncio.Task[Any] | None) -> Callable[[], None]:
    """What cancels a task, for callbacks."""

    def cancel() -> None:
        if task is not None:
            task.cancel()

    return cancel
