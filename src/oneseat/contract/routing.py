"""Candidates for a request, in order of preference, and the reasons why some were passed over."""

from __future__ import annotations

from typing import Literal

import msgspec

from .errors import ErrorInfo
from .providers import DEFAULT_SEAT
from .receipt import Tier

#: What a candidate is paid from: the plan of a seat, API credits that a plan includes, or a key that is billed by use.
PaidFrom = Literal["plan", "api_credits", "api_key"]
#: What a request can need besides a text answer.
Need = Literal["tools", "mcp", "functions", "schema", "images", "documents", "sessions"]


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The conditions for using a candidate; an omitted one is no condition.

    ``tiers`` are the policy's words on the request, ``window_below_percent`` bounds every usage window that the model's runs
    count in, ``prompt_below_tokens`` and ``prompt_from_tokens`` bound the size of what is sent (an estimate),
    ``budget_left_usd`` is what its budgets must still allow. ``only_with`` and ``never_with`` name what the request needs.
    """

    tiers: tuple[Tier, ...] = ()
    window_below_percent: int | None = None
    budget_left_usd: float | None = None
    prompt_below_tokens: int | None = None
    prompt_from_tokens: int | None = None
    only_with: tuple[Need, ...] = ()
    never_with: tuple[Need, ...] = ()


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One way to serve a request: a provider, a model (``None``: the request's, or the provider's own) and what pays.

    ``key`` names the key of the settings that is used, where ``paid_from`` is not a plan.
    """

    provider: str
    model: str | None = None
    paid_from: PaidFrom = "plan"
    key: str | None = None
    when: Conditions = Conditions()

    @property
    def label(self) -> str:
        """Its name in messages and receipts."""
        payer = self.paid_from if self.key is None else f"{self.paid_from} `{self.key}`"
        return f"{self.provider}{'' if self.model is None else f' {self.model}'} ({payer})"


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A candidate in the settings: a ``provider`` whose plan pays, or a ``key``."""

    provider: str | None = None
    key: str | None = None
    model: str | None = None
    when: Conditions = Conditions()


class RoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A role in the settings: its candidates, and its budgets at list price in US dollars."""

    name: str
    candidates: tuple[Wanted, ...]
    run_budget_usd: float | None = None
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of work with its candidates, the preferred one first."""

    name: str
    candidates: tuple[Candidate, ...]


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """The routes in the owner's settings.

    ``seat`` is the default. ``fallback`` follows it in order, with the owner's consent to leave the plan. ``keys`` has one
    candidate for each API key, those with included credits first.
    """

    seat: Candidate = Candidate(provider=DEFAULT_SEAT)
    fallback: tuple[Candidate, ...] = ()
    keys: tuple[Candidate, ...] = ()
    roles: dict[str, Role] = {}


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that did not serve, the error code that says why, and until when that holds (ISO 8601 UTC), if known."""

    candidate: str
    code: str
    why: str
    until: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt with a candidate ended: when, in seconds since 1970, and its error code; ``None`` for an answer."""

    at: float
    code: str | None


class CandidateReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a candidate would serve a request now. ``code`` and ``why`` say why not, ``until`` for how long."""

    candidate: str
    provider: str
    model: str | None
    paid_from: PaidFrom
    key: str | None
    serves: bool
    code: str | None = None
    why: str | None = None
    until: str | None = None


class RouteReport(msgspec.Struct, frozen=True, kw_only=True):
    """The candidates for a request now: ``chosen`` is the first that would serve it, ``None`` when none would.

    ``tier``, ``rule`` and ``pack`` are the policy's decision; ``needs`` is what the request needs besides a text answer.
    """

    chosen: str | None
    role: str | None
    tier: Tier
    rule: str
    pack: str
    needs: tuple[Need, ...]
    prompt_tokens: int
    candidates: tuple[CandidateReport, ...]
    error: ErrorInfo | None = None
