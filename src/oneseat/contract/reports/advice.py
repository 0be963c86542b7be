"""What `oneseat advise` says, field by field as ``--json`` prints it. Money is US dollars at list price, ``None`` unknown."""

from __future__ import annotations

from typing import Literal

import msgspec

from .plans import Notice, Requests

#: Why there is no verdict.
NoVerdict = Literal["nothing_used", "too_little", "no_price"]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a number rests on, where that is from, and on which day it was true (ISO 8601)."""

    what: str
    source: str
    as_of: str


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The days that were measured, both included, in ``time_zone``. Answers ``undated`` could not be placed and are left out."""

    first_day: str
    last_day: str
    days: int
    days_with_use: int
    time_zone: str
    undated: int


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by kind."""

    input: float
    output: float
    cache_read: float
    cache_write: float


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured and what it comes to in a day and, where that was enough, in a month of 30 days like these.

    ``at_least`` says that it was more: transcripts are a lower bound, and what has no price is in no sum.
    """

    answers: int
    own_answers: int
    total: Tokens
    per_day: Tokens
    per_month: Tokens | None
    list_price_usd: float | None
    list_price_usd_day: float | None
    list_price_usd_month: float | None
    at_least: bool
    unpriced_tokens: dict[str, int]
    special_rate_answers: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The class of a workload."""

    id: str
    name: str
    from_usd_month: float
    reason: str


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A plan beside the key, which pays what the plan does not hold. How much that is nobody publishes.

    ``least_usd_month`` is the cost when the plan holds everything, ``most_usd_month`` when it holds nothing but its API credit.
    ``pays_from_share`` is the part of the work that it has to hold, from 0 to 1, to be cheaper than the key alone; ``None``
    where that is unknown, or where it cannot be, which ``can_pay`` tells.
    """

    id: str
    name: str
    price_usd_month: float | None
    api_credit_usd: float | None
    least_usd_month: float | None
    most_usd_month: float | None
    can_pay: bool | None
    pays_from_share: float | None
    includes: tuple[str, ...]
    source: str
    as_of: str


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """A way to pay: by key alone (``plan`` is ``None``) or by a plan with the key for the rest."""

    plan: str | None
    usd_month: float


class Caching(msgspec.Struct, frozen=True, kw_only=True):
    """What the prompt cache changed in a month: its reads and writes at their prices, and the same tokens as plain input."""

    cached_usd_month: float
    plain_usd_month: float
    read_share: float
    tiers_ignored: bool


class OtherModel(msgspec.Struct, frozen=True, kw_only=True):
    """The same tokens of a month on another model. Two prices where that one charges more for long requests."""

    model: str
    least_usd_month: float | None
    most_usd_month: float | None


class Lean(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent with each answer: measured bytes of one question, and the tokens of an answer here, by who asked."""

    measured: tuple[Requests, ...]
    own_sent_per_answer: float | None
    other_sent_per_answer: float | None


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The whole advice. ``no_verdict`` says why ``verdict``, ``options``, ``cheapest_*``, ``caching`` and ``models`` are empty."""

    period: Period | None
    workload: Workload | None
    no_verdict: NoVerdict | None
    verdict: Verdict | None
    options: tuple[Option, ...]
    cheapest_certain: Mix | None
    cheapest_possible: Mix | None
    caching: Caching | None
    models: tuple[OtherModel, ...]
    lean: Lean | None
    notices: tuple[Notice, ...]
    assumptions: tuple[str, ...]
    sources: tuple[Source, ...]
    not_read: dict[str, int]
