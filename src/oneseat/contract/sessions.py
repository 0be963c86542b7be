"""Sessions: conversations that several runs share, those of a project or of one name."""

from __future__ import annotations

from typing import Literal

import msgspec

from .receipt import Wallet

#: Why a session is not continued: on request, too old, too many messages, too large, changed instructions, lost, context full,
#: its only message failed and was sent again, ended by its owner, or there was none: a run without one is gone on with.
EndReason = Literal[
    "new_session",
    "age",
    "messages",
    "bytes",
    "instructions",
    "lost",
    "overflow",
    "repeated",
    "ended",
    "not_kept",
]


class Exchange(msgspec.Struct, frozen=True):
    """The prompt (its beginning) and the answer of an earlier run of a session, both redacted."""

    asked: str
    answered: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session, bound to a project, directory, wallet and provider; times are ISO 8601 UTC.

    ``project`` is ``@`` and a name, or ``@`` alone, for one that belongs to no project.
    ``messages`` counts the prompts sent; ``instructions`` is the SHA-256 of its first instructions. ``ended_at`` is
    ``None`` as long as the next run may continue it.
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
