"""What the ledger tells of past runs: which to list, one as a list shows it, one whole, and its events."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from .receipt import RunResult, Status


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list; what is ``None`` does not matter.

    ``since`` is included and ``until`` is not, both with a time zone. ``cwd`` also finds runs in the folders below it,
    ``error`` finds every code that begins with it, ``session`` is a conversation's whole id, and ``limit`` keeps the newest.
    """

    status: Status | Literal["running"] | None = None
    since: datetime | None = None
    until: datetime | None = None
    wallet: str | None = None
    cwd: str | None = None
    error: str | None = None
    session: str | None = None
    limit: int = 50


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One run as a list shows it. Times are ISO 8601 UTC, money is US dollars; ``None`` is unknown or not yet."""

    id: str
    created_at: str
    ended_at: str | None
    status: Status | Literal["running"]
    provider: str
    model: str | None
    cwd: str
    prompt_bytes: int
    prompt_preview: str | None
    error_code: str | None
    error_message: str | None
    wallet: str | None
    expected_wallet: str | None
    verdict: str | None
    cost_usd: float | None
    equivalent_cost_usd: float | None
    duration_ms: int | None


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run with its result as the caller got it, redacted. ``result`` is ``None`` while the run goes on.

    ``text_kept`` is false when the ledger was told to keep no text; the result's text is then empty. ``policy_inputs`` is what
    the policy decided on; ``None`` where it was not asked.
    """

    summary: RunSummary
    prompt_sha256: str
    text_kept: bool
    result: RunResult | None
    policy_inputs: dict[str, Any] | None = None


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as ``--stream-json`` would print it, with its place in the run, counted from 1, and its time."""

    seq: int
    at: str
    event: dict[str, Any]
