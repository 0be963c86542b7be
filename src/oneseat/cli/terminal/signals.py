"""The signals that ask a command to stop, as far as whoever started it lets them through."""

from __future__ import annotations

import signal


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
