"""How full usage windows and budgets are. Shares go from 0 to 1, times are ISO 8601 UTC, and ``None`` is unknown."""

from __future__ import annotations

from typing import Literal

import msgspec


class LimitForecast(msgspec.Struct, frozen=True, kw_only=True):
    """When a window is full at its pace, and the ``readings`` over ``span_s`` seconds that this rests on.

    ``why`` is ``pace`` where there is a forecast, and the reason where there is none. ``before_reset_s`` is negative where the
    reset comes first.
    """

    why: Literal["pace", "full", "unknown", "one_reading", "too_close", "no_growth"]
    full_at: str | None
    before_reset_s: int | None
    readings: int
    span_s: int


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """One usage window. ``used`` was reported at ``used_read_at``: it only grows, so it is at least that much now.

    ``status`` is the provider's word of ``read_at``, ``age_s`` seconds ago. ``used_before_reset`` is the last known share of a
    window that was reset since.
    """

    window: str
    used: float | None
    used_read_at: str | None
    status: str | None
    read_at: str | None
    age_s: int | None
    source: str | None
    resets_at: str | None
    resets_in_s: int | None
    used_before_reset: float | None
    forecast: LimitForecast

    @property
    def share(self) -> float | None:
        """How full it is: a window that rejects is full, whatever was reported before."""
        return 1.0 if self.status == "rejected" else self.used


class ExtraUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Whether extra, paid usage was being spent at ``read_at``."""

    in_use: bool
    read_at: str


class SeatLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The windows of one login."""

    provider: str
    wallet: Literal["plan", "simulator"]
    windows: tuple[WindowReport, ...]
    extra_usage: ExtraUsage | None


class BudgetReport(msgspec.Struct, frozen=True, kw_only=True):
    """One budget of the settings, in US dollars at list price. ``used_usd`` includes ``held_usd``, reserved by running runs."""

    scope: str
    name: str | None
    period: str
    limit_usd: float
    used_usd: float
    held_usd: float
    used: float
    resets_at: str | None
    source: Literal["ledger"] = "ledger"


class TokenEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens counted on this machine in the current window. It is a lower bound: other machines may use the plan too."""

    window: Literal["five_hour"] = "five_hour"
    tokens: int
    begins_at: str | None
    ends_at: str | None
    source: Literal["transcripts"] = "transcripts"


class LimitsReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known at ``read_at``. Unattended runs pause at ``pause_at_percent``; ``None`` means never.

    ``not_read`` counts what could not be read, by reason.
    ``policy_expires`` is the day from which the policy rules allow nothing on the plan, in the last 30 days before it.
    """

    read_at: str
    pause_at_percent: int | None
    seats: tuple[SeatLimits, ...]
    budgets: tuple[BudgetReport, ...]
    estimate: TokenEstimate | None = None
    not_read: dict[str, int] = {}
    policy_expires: str | None = None
