"""The signals that ask a command to stop, as far as whoever started it lets them through."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def stop_signals() -> list[signal.Signals]:
    """Those that are not ignored. ``nohup`` has SIGHUP ignored, a script SIGINT for what it starts in the background."""
    asked = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    return [number for number in asked if signal.getsignal(number) is not signal.SIG_IGN]


def interrupt_when_stopped() -> None:
    """Let every one of them end the command as Ctrl-C does: with its ``finally`` blocks, so that no process stays behind."""
    for number in stop_signals():
        signal.signal(number, signal.default_int_handler)


def ignore_stop_signals() -> None:
    """For the very end: all is done and said, and a signal could only add a traceback or change the exit code."""
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)


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
