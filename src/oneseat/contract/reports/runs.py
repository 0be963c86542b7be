"""Runs and conversations: a result as JSON shows it, one run with its events, and lists of both."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.history import RunSummary, StoredEvent
from oneseat.contract.receipt import Receipt, RunResult, SessionStamp, Status
from oneseat.contract.sessions import Session


class ResultReport(msgspec.Struct, frozen=True, kw_only=True):
    """A ``RunResult`` as JSON shows it: ``denials`` is there only where a tool was refused."""

    run_id: str
    status: Status
    text: str
    structured: Any
    error: ErrorInfo | None
    session: SessionStamp | None
    receipt: Receipt
    denials: tuple[str, ...] | UnsetType = UNSET

    @classmethod
    def of(cls, result: RunResult) -> ResultReport:
        """The report of a result."""
        return cls(**{**msgspec.structs.asdict(result), "denials": result.denials or UNSET})


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run. ``result`` is ``None`` while it goes on, ``policy_inputs`` where the policy was not asked."""

    run: RunSummary
    result: ResultReport | None
    events: tuple[StoredEvent, ...]
    policy_inputs: dict[str, Any] | None


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """Past runs, newest first."""

    runs: tuple[RunSummary, ...]


class SessionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation and its last runs, oldest first."""

    session: Session
    runs: tuple[RunSummary, ...]


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations, the last used first."""

    sessions: tuple[Session, ...]
