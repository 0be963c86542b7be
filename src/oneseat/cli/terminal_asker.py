"""Asks the person at the terminal whether the assistant may use a tool."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from oneseat.contract.events import Question
from oneseat.contract.permission import Permission

from .terminal.questions import OWNER_SAID_NO, ask_at_terminal


class TerminalAsker:
    """Puts each question to the controlling terminal; anything but a clear yes is a no."""

    async def __call__(self, question: Question) -> Permission:
        """Ask and wait for the answer."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def work() -> None:
            allowed = ask_at_terminal(question)
            with contextlib.suppress(RuntimeError):  # the run was cancelled and the loop is gone
                loop.call_soon_threadsafe(_settle, answer, allowed)

        # A daemon thread: a cancelled run must not wait for somebody to press a key.
        threading.Thread(target=work, name="oneseat-question", daemon=True).start()
        return Permission(allowed=await answer, why=OWNER_SAID_NO)


def _settle(answer: asyncio.Future[bool], allowed: bool) -> None:
    if not answer.done():
        answer.set_result(allowed)
