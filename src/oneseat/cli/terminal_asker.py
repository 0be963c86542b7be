"""Asks the person at the terminal whether the assistant may use a tool."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

import msgspec

from oneseat.contract.events import Question
from oneseat.contract.permission import Permission

_TERMINAL = Path("/dev/tty")
_SHOWN = 1000


class TerminalAsker:
    """Puts each question to the controlling terminal; anything but a clear yes is a no."""

    async def __call__(self, question: Question) -> Permission:
        """Ask and wait for the answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def work() -> None:
            allowed = _ask(question)
            with contextlib.suppress(RuntimeError):  # the run was cancelled and the loop is gone
                loop.call_soon_threadsafe(_settle, answer, allowed)

        # A daemon thread: a cancelled run must not wait for somebody to press a key.
        threading.Thread(target=work, name="oneseat-question", daemon=True).start()
        return Permission(allowed=await answer, why="The owner said no at the terminal")


def _settle(answer: asyncio.Future[bool], allowed: bool) -> None:
    if not answer.done():
        answer.set_result(allowed)


def _ask(question: Question) -> bool:
    shown = msgspec.json.encode(question.input).decode()
    # What the model wants is shown in full or marked as cut: a yes to half a command would be a yes to the other half too.
    cut = f"{shown[:_SHOWN]} … ({len(shown) - _SHOWN} more characters)" if len(shown) > _SHOWN else shown
    try:
        with _TERMINAL.open("r+b", buffering=0) as terminal:
            terminal.write(
                f"\r\x1b[KThe assistant wants to use {question.tool}: {_plain(cut)}\nAllow it? [y/N] ".encode()
            )
            return terminal.readline().strip().lower() in (b"y", b"yes")
    except OSError:
        return False


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
