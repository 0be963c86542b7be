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
    """One run. ``result`` is ``None`` while it goes on, ``policy_inputs`` where the policy was not asked.

    ``damaged`` names what cannot be read in its row of the ledger; it is there only where something is.
    """

    run: RunSummary
    result: ResultReport | None
    events: tuple[StoredEvent, ...]
    policy_inputs: dict[str, Any] | None
    damaged: tuple[str, ...] | UnsetType = UNSET


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """Past runs, newest first. ``not_read`` counts what could not be read, by reason."""

    runs: tuple[RunSummary, ...]
    not_read: dict[str, int] = {}


class SessionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation and its last runs, oldest first. ``not_read`` as in ``RunList``."""

    session: Session
    runs: tuple[RunSummary, ...]
    not_read: dict[str, int] = {}


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """Conversations, the last used first. ``not_read`` as in ``RunList``."""

    sessions: tuple[Session, ...]
    not_read: dict[str, int] = {}
