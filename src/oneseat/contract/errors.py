"""What can go wrong, said once for every face.

    OneseatError(ErrorInfo)
    ├─ UsageError       your turn: bad argument, settings, input or home directory; nothing was sent   exit 2
    ├─ RunFailed        a run that ended without an answer; carries the whole result                   exit by code
    └─ InternalError    our bug                                                                        exit 1

A code is a dotted word. Its first part decides the exit code, so the two can never disagree.
"""

from __future__ import annotations

from typing import Literal

import msgspec

WhoseTurn = Literal["you", "wait", "provider", "bug"]

#: Exit codes by the beginning of the error code; the longest one that matches wins.
EXIT_CODES: dict[str, int] = {
    "bug": 1,
    "usage": 2,
    "policy": 3,
    "billing": 3,
    "budget": 3,
    "billing.changed_midway": 4,
    "billing.misbilled": 4,
    "billing.overage": 4,
    "budget.reached": 4,
    "budget.turns_reached": 4,
    "budget.unpriced": 4,
    "limit": 5,
    "stall": 6,
    "timeout": 6,
    "provider": 7,
    "incomplete": 8,
    "guard": 9,
    "cancelled": 130,
}


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, the same in commands, JSON and Python.

    ``code`` is a dotted word from docs/reference/errors.md, ``message`` says what failed, the value and why,
    ``hint`` is one action with its exact command, ``retry_after_s`` is in seconds and only set when a source named it.
    """

    code: str
    message: str
    hint: str | None = None
    whose_turn: WhoseTurn = "you"
    retry_after_s: float | None = None


def exit_code(code: str) -> int:
    """The process exit code that belongs to an error code."""
    if code in EXIT_CODES:
        return EXIT_CODES[code]
    return EXIT_CODES.get(code.partition(".")[0], 1)


class OneseatError(Exception):
    """Base of every error oneseat raises on purpose. ``info`` holds the code, message, hint and whose turn it is."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info

    def __reduce__(self) -> tuple[type[OneseatError], tuple[ErrorInfo]]:
        # Without this, an error that crosses a process boundary (multiprocessing, pytest-xdist) fails to unpickle.
        return type(self), (self.info,)


class UsageError(OneseatError):
    """Raised when an argument, a setting, an input or the home directory cannot be used. Nothing was sent."""


class InternalError(OneseatError):
    """Raised when oneseat itself is wrong. Nothing a user did can cause it."""
