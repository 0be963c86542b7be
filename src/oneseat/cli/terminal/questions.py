"""One question to the person at the controlling terminal, and the answer."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import msgspec

from oneseat.contract.events import Question

#: What the model is told when the answer is no.
OWNER_SAID_NO = "The owner said no at the terminal"
_TERMINAL = Path("/dev/tty")
_SHOWN = 1000
_ONE_AT_A_TIME = threading.Lock()


def ask_at_terminal(question: Question) -> bool:
    """Whether the person says a clear yes; no terminal is a no. Waits for a line, and for the question before."""
    shown = msgspec.json.encode(question.input).decode()
    # What the model wants is shown in full or marked as cut: a yes to half a command would be a yes to the other half too.
    cut = f"{shown[:_SHOWN]} … ({len(shown) - _SHOWN} more characters)" if len(shown) > _SHOWN else shown
    try:
        with _ONE_AT_A_TIME, _TERMINAL.open("r+b", buffering=0) as terminal:
            _forget_typed(terminal.fileno())
            terminal.write(
                f"\r\x1b[KThe assistant wants to use {question.tool}: {_plain(cut)}\nAllow it? [y/N] ".encode()
            )
            return terminal.readline().strip().lower() in (b"y", b"yes")
    except OSError:
        return False


def _forget_typed(terminal: int) -> None:
    """Discard what was typed before the question was shown: it cannot be the answer to it."""
    if sys.platform != "win32":
        import termios  # noqa: PLC0415 - Windows has none

        try:
            termios.tcflush(terminal, termios.TCIFLUSH)
        except termios.error as error:
            raise OSError(*error.args) from error


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
