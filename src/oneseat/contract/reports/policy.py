"""What the policy says: the rules in force, one decision, a pack beside another, and what the owner has confirmed."""

from __future__ import annotations

from typing import Literal

import msgspec

from oneseat.contract.policy import InputName, PackState
from oneseat.contract.policy_catalogue import (
    AuthStep,
    EnvPolicy,
    ErrorPattern,
    Fact,
    PackPrice,
    Plan,
    Signal,
    Source,
    Watch,
    Window,
)
from oneseat.contract.policy_pack import (
    Action,
    Basis,
    Confidence,
    Confirmation,
    Installed,
    Meta,
    Route,
    Rule,
    Thresholds,
)
from oneseat.contract.receipt import Tier

PackEffect = Literal["looser", "tighter", "other"]
#: What `oneseat policy show` prints by name: fields of ``PolicyReport``.
SECTIONS = (
    "rules",
    "plans",
    "facts",
    "windows",
    "routes",
    "prices",
    "thresholds",
    "precedence",
    "variables",
    "signals",
    "errors",
    "sources",
    "watch",
)


class PolicyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The pack in force on ``day``. ``installed`` is what the owner put in place of the ``bundled`` one."""

    meta: Meta
    bundled: bool
    day: str
    state: PackState
    installed: Installed | None
    rules: tuple[Rule, ...]
    plans: tuple[Plan, ...]
    facts: tuple[Fact, ...]
    windows: tuple[Window, ...]
    routes: tuple[Route, ...]
    prices: tuple[PackPrice, ...]
    thresholds: Thresholds
    precedence: tuple[AuthStep, ...]
    variables: EnvPolicy
    signals: tuple[Signal, ...]
    errors: tuple[ErrorPattern, ...]
    sources: tuple[Source, ...]
    watch: tuple[Watch, ...]


class RuleReport(Rule, frozen=True, kw_only=True):
    """One rule with its sources."""

    sources: tuple[Source, ...]


class PackStamp(msgspec.Struct, frozen=True, kw_only=True):
    """Which pack decided, and how old its rules are."""

    version: str
    as_of: str
    state: PackState


class PolicyExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One decision with everything it rests on.

    ``paid_from`` is what may pay, empty where the request is refused. ``because`` are the inputs that decided, ``at_the_gate``
    those that the billing gate will ask for. ``confirm_with`` is the command that confirms such work in writing.
    """

    tier: Tier
    rule: str
    action: Action
    reason: str
    basis: Basis
    confidence: Confidence
    as_of: str
    paid_from: tuple[str, ...]
    because: dict[InputName, str | int | None]
    inputs: dict[str, str | int | None]
    at_the_gate: tuple[InputName, ...]
    sources: tuple[Source, ...]
    pack: PackStamp
    day: str
    confirmed: Confirmation | None
    confirm_with: str | None


class PackDifference(msgspec.Struct, frozen=True):
    """One thing that another pack says otherwise. ``effect`` is what it does to what is allowed."""

    what: str
    effect: PackEffect
    was: str | None
    now: str | None
    source: str | None


class PackReport(msgspec.Struct, frozen=True, kw_only=True):
    """A pack beside the one in force."""

    meta: Meta
    differences: tuple[PackDifference, ...]


class ConfirmationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner has confirmed. It ``counts`` as long as the rule is in force as it was then."""

    id: str
    rule: str
    because: dict[InputName, str | int | None]
    project: str | None
    client: str | None
    text: str
    at: str
    pack: str
    counts: bool


class ConfirmationList(msgspec.Struct, frozen=True, kw_only=True):
    """Every confirmation."""

    confirmations: tuple[ConfirmationReport, ...]


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """The id of the confirmation that was taken back."""

    revoked: str
