"""Who answers when the assistant asks for permission."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from .events import Question


class Permission(msgspec.Struct, frozen=True):
    """The answer to a ``Question``. ``why`` is told to the model when the answer is no."""

    allowed: bool
    why: str = "The owner did not allow this"


#: Answers a question, at once or after a while. It may be slow: the run waits, up to ``watchdog.question_s``.
Asker = Callable[[Question], Permission | bool | Awaitable[Permission | bool]]
