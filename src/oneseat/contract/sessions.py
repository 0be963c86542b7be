"""A conversation that several runs of one project share."""

from __future__ import annotations

from typing import Literal

import msgspec

from .receipt import Wallet

#: Why a conversation is not continued: asked for, too old, too long, too large, other instructions, not there any more, full,
#: its only message failed and was sent again, ended by its owner.
EndReason = Literal[
    "new_session", "age", "messages", "bytes", "instructions", "lost", "overflow", "repeated", "ended"
]


class Exchange(msgspec.Struct, frozen=True):
    """What one earlier run of a conversation asked (its beginning) and was answered, both without secrets."""

    asked: str
    answered: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation. It is bound to its project, directory, wallet and provider; times are ISO 8601 UTC.

    ``messages`` counts the prompts sent; ``instructions`` is the SHA-256 of the instructions it began with.
    ``ended_at`` is ``None`` as long as the next run may continue it.
    """

    id: str
    project: str
    cwd: str
    wallet: Wallet
    provider: str
    created_at: str
    used_at: str
    messages: int
    instructions: str
    ended_at: str | None = None
    end_reason: EndReason | None = None
