"""A policy pack: the rules and the dated facts they rest on, each with its source. Plain data, no code.

Every structure is closed: a pack with a key, an operator or a word that this version does not know is not decoded.
"""

# Annotations are not postponed: every run asks what these mean, and working that out of their text takes 0.6 ms.

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
#: ``is`` and ``in`` compare words, ``more_than`` and ``at_most`` numbers. None of them holds by the absence of something:
#: what is not known never makes a condition true.
Op = Literal["is", "in", "more_than", "at_most"]
#: ``api_or_confirm``: by key, or on the plan once the owner has confirmed such work in writing.
Action = Literal["plan", "api_or_confirm", "api_key", "refuse"]


class Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything in a pack."""


class Meta(Closed, frozen=True, kw_only=True):
    """What the pack is. After ``review_after`` oneseat warns, after ``hard_stale_after`` it trusts no GREEN of it."""

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
    """Base of what holds for a time. Days are ISO 8601."""

    id: str
    status: Status = "active"
    effective_from: str | None = None
    effective_to: str | None = None
    source_ids: tuple[str, ...]
    as_of: str
    confidence: Confidence

    def holds(self, day: str) -> bool:
        """Whether it counts on this day (ISO 8601): active, begun, and not over."""
        return (
            self.status == "active"
            and (self.effective_from is None or self.effective_from <= day)
            and (self.effective_to is None or day < self.effective_to)
        )


class Route(Dated, frozen=True, kw_only=True):
    """What a way of asking is paid from."""

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
    """One rule. It holds when all conditions of one group in ``when`` do; without any group, where no other rule says yes."""

    priority: int
    when: tuple[tuple[Condition, ...], ...]
    tier: Tier
    action: Action
    reason: str
    basis: Basis


class Threshold(Closed, frozen=True, kw_only=True):
    """A number that nobody has published."""

    value: int
    unit: str
    meaning: str
    basis: Literal["own"]
    as_of: str


class Thresholds(Closed, frozen=True, kw_only=True):
    """Where heavy use begins, and what automation leaves to the person."""

    max_parallel_plan_runs: Threshold
    max_plan_runs_per_hour: Threshold
    continuous_hours_per_day: Threshold
    continuous_runs_per_day: Threshold
    pause_at_percent: Threshold
    min_gap_s: Threshold


class Pack(Closed, frozen=True, kw_only=True):
    """The whole pack. What no run asks for stays unread until somebody does: contract/policy_catalogue.py."""

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
    """What the owner has confirmed in writing: that work of this class may be paid by the plan although ``rule`` doubts it.

    A class is the rule, the inputs that made it doubt, and the project and the client the run belongs to, if any. The whole
    rule is kept: once it says anything else, the confirmation counts no more. ``at`` is ISO 8601 UTC.
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
    """A pack that the owner has put in place of the bundled one; ``text`` is what was written where it loosens a rule."""

    sha256: str
    pack: str
    at: str
    loosens: tuple[str, ...] = ()
    text: str | None = None


class OwnerOverrides(Closed, frozen=True, kw_only=True):
    """Everything the owner has said about the policy."""

    installed: Installed | None = None
    confirmations: tuple[Confirmation, ...] = ()


class PolicyState(NamedTuple):
    """The pack in force, whether it is the bundled one, and the owner's word."""

    pack: Pack
    bundled: bool
    word: OwnerOverrides
