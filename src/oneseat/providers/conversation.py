"""What of an open conversation its first message fixes, and what is said to a message that changes it."""

from __future__ import annotations

from collections.abc import Mapping

from oneseat.contract.errors import ErrorInfo, UsageError

#: What to do about a conversation that cannot go on.
ANOTHER = "Start another one: `async with app.conversation() as talk`"


def first_change(before: Mapping[str, object], now: Mapping[str, object]) -> str | None:
    """The first of the terms, by name, that is another one now; ``None`` when all are the same."""
    return next((name for name, value in now.items() if before[name] != value), None)


def changed(term: str) -> UsageError:
    """A message asks for another ``term``."""
    return UsageError(
        ErrorInfo(
            code="usage.conversation_changed",
            message=f"An open conversation cannot change: `{term}`\n  it is fixed by the first message",
            hint=ANOTHER,
        )
    )
