"""Recorded runs and usage windows, as the ledger returns them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from .receipt import RunResult, Status


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list. ``None`` is no condition.

    ``since`` is included and ``until`` is not, both with a time zone. ``cwd`` also matches the folders below it, ``error`` is
    the beginning of an error code, ``session`` is a whole conversation id, and ``limit`` keeps the newest runs.
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
    """One run in a list. Times are ISO 8601 UTC, money is US dollars; ``None`` is unknown or not yet known."""

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
    """One run with its redacted result, which is ``None`` while it is running.

    ``text_kept`` is false when the ledger was told to keep no text; the result's text is then empty. ``policy_inputs`` is what
    the policy decided on; ``None`` when it was not asked. ``damaged`` names what cannot be read in its row.
    """

    summary: RunSummary
    prompt_sha256: str
    text_kept: bool
    result: RunResult | None
    policy_inputs: dict[str, Any] | None = None
    damaged: tuple[str, ...] = ()


class LastRun(msgspec.Struct, frozen=True, kw_only=True):
    """The last run of a directory, its session where it had one, and whether its prompt and answer were kept."""

    id: str
    session: str | None
    text_kept: bool


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as ``--stream-json`` prints it, with its number in the run, counted from 1, and its time."""

    seq: int
    at: str
    event: dict[str, Any]


class SeenLimit(NamedTuple):
    """What one source said of one window, unchanged from ``first_at`` to ``last_at``. Moments are seconds since 1970.

    ``used`` is a share, 1 is full. ``overage`` true means that extra, paid usage was being spent. ``None`` is not said.
    """

    window: str
    status: str
    used: float | None
    resets_at: float | None
    source: str
    overage: bool | None
    first_at: float
    last_at: float
