"""The sections of a policy pack that no run reads: sources, facts, windows, signals, prices and the like."""

from __future__ import annotations

from typing import Literal

import msgspec

from .policy_pack import Closed, Confidence, Dated, Status, Vendor


class Change(Closed, frozen=True, kw_only=True):
    """One line of a pack's history."""

    pack_version: str
    what: str


class Plan(Dated, frozen=True, kw_only=True):
    """A plan by an id that survives renames. Money is US dollars a month; ``None`` is not known."""

    vendor: Vendor
    names: tuple[str, ...]
    legacy_ids: tuple[str, ...] = ()
    price_usd_month: float | None
    terms: Literal["consumer", "commercial"]
    windows: tuple[str, ...]
    model_scopes: tuple[str, ...] = ()
    allowance: str | None = None
    api_credit_usd: float | None
    eligible_credits: bool


class Source(Closed, frozen=True, kw_only=True):
    """A source page. ``page_date`` is the page's own date; ``content_hash`` is ``None`` without a stored copy."""

    id: str
    vendor: Vendor
    title: str
    url: str
    kind: Literal["terms", "help", "docs", "package", "report"]
    page_date: str | None
    retrieved_at: str
    retrieved_how: Literal["live", "mirror", "quoted", "inspected"]
    content_hash: str | None = None
    confidence: Confidence


class Fact(Dated, frozen=True, kw_only=True):
    """Something a vendor has said or done."""

    vendor: Vendor
    subject: str
    value: str | int | float | bool | dict[str, int | float | str | None] | None
    unit: str | None = None
    meaning: str


class Window(Closed, frozen=True, kw_only=True):
    """A usage window. A missing one is unknown, never empty. ``unit_by_source`` says how each source counts usage."""

    kind: str
    vendor: Vendor
    length_s: int | None
    may_be_absent: bool
    absent_means: Literal["unknown"]
    unit_by_source: dict[str, Literal["share", "percent"]]
    note: str | None = None
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence
    status: Status = "active"


class AuthStep(Closed, frozen=True, kw_only=True):
    """One credential in the official CLI's precedence; ``rank`` 0 is the strongest."""

    id: str
    rank: int
    env_names: tuple[str, ...]
    bills: str
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence


class EnvPolicy(Closed, frozen=True, kw_only=True):
    """Environment variables by how they are treated."""

    scrub_for_plan: tuple[str, ...]
    scrub_for_api: tuple[str, ...]
    set_for_plan: dict[str, str]
    danger: tuple[str, ...]
    never_change: tuple[str, ...]
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence


class Signal(Closed, frozen=True, kw_only=True):
    """A way to find out how full a window is."""

    id: str
    stability: Literal["documented", "typed", "experimental", "undocumented"]
    unit: Literal["share", "percent", "text"]
    allowed: bool
    use: str
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence


class ErrorPattern(Closed, frozen=True, kw_only=True):
    """What an error of the official CLI means. ``match`` is a whole word of ``field``, or the beginning of it."""

    id: str
    match: Literal["field", "prefix"]
    field: str
    value: str
    kind: Literal["limit", "credits", "auth", "hold", "transient", "request", "unknown"] = msgspec.field(
        name="class"
    )
    costs_money: bool
    retry: Literal["never", "after_reset", "later", "once"]
    min_cli: str | None = None
    max_cli: str | None = None
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence
    status: Status = "active"


class PriceTier(Closed, frozen=True, kw_only=True):
    """Other rates for the whole request if its prompt is longer than this. ``None`` is not known."""

    above_prompt_tokens: int
    applies_to: Literal["whole_request"]
    input: float
    output: float
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    cache_read: float | None = None


class PriceVariant(Closed, frozen=True, kw_only=True):
    """Another price of the same model. ``multiplier`` applies to every rate that is not given."""

    kind: Literal["batch", "fast", "flex", "us_only"]
    multiplier: float | None = None
    input: float | None = None
    output: float | None = None
    effective_to: str | None = None


class PackPrice(Dated, frozen=True, kw_only=True):
    """The list price of a model, by its full name: US dollars per million tokens; ``None`` is not known."""

    vendor: Vendor
    model_id: str
    aliases: tuple[str, ...] = ()
    input: float
    output: float
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    cache_read: float | None = None
    tiers: tuple[PriceTier, ...] = ()
    variants: tuple[PriceVariant, ...] = ()
    note: str | None = None


class Watch(Closed, frozen=True, kw_only=True):
    """A page to check regularly."""

    url: str
    why: str
    last_checked: str
    check_every_days: int


class Sections(Closed, frozen=True, kw_only=True):
    """Those sections, decoded."""

    sources: tuple[Source, ...]
    facts: tuple[Fact, ...]
    plans: tuple[Plan, ...]
    windows: tuple[Window, ...]
    auth_precedence: tuple[AuthStep, ...]
    env_policy: EnvPolicy
    signals: tuple[Signal, ...]
    error_patterns: tuple[ErrorPattern, ...]
    prices: tuple[PackPrice, ...]
    watch: tuple[Watch, ...]
