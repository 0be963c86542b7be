"""How something is killed: which signal, to whom, once or in a row."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterable
from typing import NamedTuple

import psutil

#: How long a stopped process stays stopped, in seconds, and how often somebody looks whether the CLI has been started.
_STOPPED_S = 0.25
_LOOK_S = 0.002


class Blow(NamedTuple):
    """One way to strike. ``signals`` go in this order to ``target``."""

    name: str
    target: str
    signals: tuple[signal.Signals, ...]
    weight: int = 1


_KILL, _TERM, _INT, _HUP = signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP
_STOP, _CONT = signal.SIGSTOP, signal.SIGCONT

BLOWS = (
    Blow("oneseat SIGKILL", "oneseat", (_KILL,), weight=5),
    Blow("oneseat SIGTERM", "oneseat", (_TERM,), weight=2),
    Blow("oneseat SIGINT", "oneseat", (_INT,), weight=2),
    Blow("oneseat SIGHUP", "oneseat", (_HUP,)),
    Blow("oneseat SIGINT SIGTERM", "oneseat", (_INT, _TERM)),
    Blow("oneseat SIGTERM SIGKILL", "oneseat", (_TERM, _KILL)),
    Blow("oneseat SIGSTOP SIGKILL", "oneseat", (_STOP, _KILL)),
    Blow("oneseat SIGSTOP SIGCONT", "oneseat", (_STOP, _CONT)),
    Blow("CLI SIGKILL", "cli", (_KILL,), weight=3),
    Blow("CLI SIGTERM", "cli", (_TERM,), weight=2),
    Blow("CLI SIGSTOP SIGKILL", "cli", (_STOP, _KILL)),
    Blow("CLI SIGSTOP, oneseat SIGKILL", "stopped", (_KILL,)),
    Blow("CLI SIGSTOP, oneseat SIGTERM", "stopped", (_TERM,)),
    Blow("both SIGKILL", "both", (_KILL,), weight=2),
    Blow("both SIGTERM", "both", (_TERM,)),
)


def strike(blow: Blow, oneseat: subprocess.Popen[bytes]) -> bool:
    """Strike. Returns whether anything was there to be struck."""
    cli = [] if blow.target == "oneseat" else _children(oneseat)
    if blow.target == "stopped":
        _send(cli, _STOP)
    struck = cli if blow.target == "cli" else [*_itself(oneseat), *(cli if blow.target == "both" else ())]
    for number, following in zip(blow.signals, [*blow.signals[1:], None], strict=True):
        _send(struck, number)
        if number is _STOP or following is _KILL:
            _pause(oneseat, _STOPPED_S)
    return bool(struck)


def _children(oneseat: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """What oneseat has started, as soon as there is something. Nothing when it ends before."""
    while oneseat.poll() is None:
        if found := _listed(lambda: _started(psutil.Process(oneseat.pid))):
            return found
        _pause(oneseat, _LOOK_S)
    return []


def _started(oneseat: psutil.Process) -> list[psutil.Process]:
    # What is still a copy of oneseat is about to become the CLI. Stopped there, by nobody but us, it would stop oneseat too: the
    # system suspends whoever starts a program until that has begun.
    # And the program that tries, for a millisecond, whether the system can end children with us is no CLI.
    others: tuple[list[str], ...] = ([], oneseat.cmdline())
    return [
        child for child in oneseat.children() if child.cmdline() not in others and child.name() != "setpriv"
    ]


def _itself(oneseat: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [] if oneseat.poll() is not None else _listed(lambda: [psutil.Process(oneseat.pid)])


def _listed(look: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    try:
        return look()
    except psutil.Error:
        return []


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue


def _pause(oneseat: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        oneseat.wait(seconds)
    except subprocess.TimeoutExpired:
        return
