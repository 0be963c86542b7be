"""Gets an answer to the assistant's question, and never waits for ever: nobody's answer is no."""

from __future__ import annotations

import asyncio
import inspect

from oneseat.contract.events import Question
from oneseat.contract.permission import Asker, Permission


async def decide(ask: Asker | None, question: Question, patience_s: float) -> tuple[Permission, str]:
    """The answer and who gave it: ``caller`` or ``nobody``. Whatever ``ask`` raises goes to the caller of the run."""
    if ask is None:
        return Permission(allowed=False, why="Nobody is available to allow this"), "nobody"
    try:
        async with asyncio.timeout(patience_s):
            answer = ask(question)
            if inspect.isawaitable(answer):
                answer = await answer
    except TimeoutError:
        return Permission(allowed=False, why=f"Nobody answered within {patience_s:g} s"), "nobody"
    return answer if isinstance(answer, Permission) else Permission(allowed=bool(answer)), "caller"
