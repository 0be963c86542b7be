"""A policy pack: rules and the dated facts behind them, each with its source. Plain data, no code.

Every structure is closed: a pack with a key, an operator or a word that this version does not know is not decoded.
"""

# Annotations are not postponed: every run evaluates them, and evaluating them from strings takes 0.6 ms.

from typing import Literal, NamedTuple

import msgspec

from .policy import DrawsFrom, Harness, InputName
from .receipt import Tier

Status = Literal["active", "announced", "paused", "superseded", "unknown"]
#: ``H`` is an official text or package; ``MH`` several copies that agree; ``M`` one report; ``L`` weak or conflicting.
Confidence = Literal["H", "MH", "M", "L", "own"]
#: Who says so: a ``rule`` of a source, an ``inference`` from one, or ``own`` caution that nobody has published.
Basis = Literal["rule", "inference", "own"]
Vendor = Literal["anthropic", "openai", "google", "oneseat", "other"]
#: ``is`` and ``in`` compare words, ``more_than`` and ``at_most`` numbers. An unknown input never makes a
#: condition true.
Op = Literal["is", "in", "more_than", "at_most"]
#: ``api_or_confirm``: by key, or on the plan once the owner has confirmed such work in writing.
Action = Literal["plan", "api_or_confirm", "api_key", "refuse"]


class Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all types in a pack: unknown keys are refused."""


class Meta(Closed, frozen=True, kw_only=True):
    """Metadata. After ``review_after`` oneseat warns, after ``hard_stale_after`` no GREEN rule is trusted."""

    pack_version: str
    schema_version: Literal[1]
    as_of: str
    review_after: str
    hard_stale_after: str
    tested_cli_min: str
    tested_cli_max: str
    author: str
    sha256: str | None = None
    signature: str | None = None
    changelog: msgspec.Raw = msgspec.Raw(b"[]")


class Dated(Closed, frozen=True, kw_only=True):
    """Base of entries with a period of validity. Days are ISO 8601."""

    id: str
    status: Status = "active"
    effective_from: str | None = None
    effective_to: str | None = None
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence

    def holds(self, day: str) -> bool:
        """Whether the entry is in force on this day (ISO 8601)."""
        return (
            self.status == "active"
            and (self.effective_from is None or self.effective_from <= day)
            and (self.effective_to is None or day < self.effective_to)
        )


class Route(Dated, frozen=True, kw_only=True):
    """What one way of using a vendor is paid from."""

    vendor: Vendor
    harness: Harness | Literal["any", "codex_cli", "gemini_cli", "antigravity_cli", "vendor_api"]
    auth_method: str
    mode: Literal["interactive", "print", "sdk", "action", "api", "any"]
    draws_from: DrawsFrom
    when_exhausted: str
    note: str | None = None


class Condition(Closed, frozen=True, kw_only=True):
    """One comparison of an input."""

    field: InputName
    op: Op
    value: str | int | tuple[str, ...]


class Rule(Dated, frozen=True, kw_only=True):
    """One rule. It holds when all conditions of one group in ``when`` hold; without groups, when no GREEN rule holds."""

    priority: int
    when: tuple[tuple[Condition, ...], ...]
    tier: Tier
    action: Action
    reason: str
    basis: Basis


class Threshold(Closed, frozen=True, kw_only=True):
    """A number of our own, which no vendor has published."""

    value: int
    unit: str
    meaning: str
    basis: Literal["own"]
    as_of: str


class Thresholds(Closed, frozen=True, kw_only=True):
    """Where heavy use starts, and how much unattended runs leave to the person."""

    max_parallel_plan_runs: Threshold
    max_plan_runs_per_hour: Threshold
    continuous_hours_per_day: Threshold
    continuous_runs_per_day: Threshold
    pause_at_percent: Threshold
    min_gap_s: Threshold


class Pack(Closed, frozen=True, kw_only=True):
    """The whole pack. Sections that no run needs stay undecoded: see contract/policy_catalogue.py."""

    meta: Meta
    sources: msgspec.Raw
    facts: msgspec.Raw
    plans: msgspec.Raw
    windows: msgspec.Raw
    billing_routes: tuple[Route, ...]
    rules: tuple[Rule, ...]
    thresholds: Thresholds
    auth_precedence: msgspec.Raw
    env_policy: msgspec.Raw
    signals: msgspec.Raw
    error_patterns: msgspec.Raw
    prices: msgspec.Raw
    watch: msgspec.Raw


class Confirmation(Closed, frozen=True, kw_only=True):
    """A written confirmation of the owner: the plan may pay for this class of work although ``rule`` is GREY.

    A class is the rule, the inputs that made it doubt, and the project and the client the run belongs to, if any. The whole
    rule is stored: once it changes, the confirmation is void. ``at`` is ISO 8601 UTC.
    """

    id: str
    rule: Rule
    because: dict[InputName, str | int | None]
    project: str | None = None
    client: str | None = None
    text: str
    at: str
    pack: str


class Installed(Closed, frozen=True, kw_only=True):
    """A pack that the owner installed instead of the bundled one; ``text`` is the written reason if it loosens a rule."""

    sha256: str
    pack: str
    at: str
    loosens: tuple[str, ...] = ()
    text: str | None = None


class OwnerOverrides(Closed, frozen=True, kw_only=True):
    """The owner's installed pack and confirmations."""

    installed: Installed | None = None
    confirmations: tuple[Confirmation, ...] = ()


class PolicyState(NamedTuple):
    """The pack in force, whether it is the bundled one, and the owner's overrides."""

    pack: Pack
    bundled: bool
    word: OwnerOverrides
