"""May this person's plan serve this request? Rules as a table; the first RED wins, then the first GREY, else GREEN.

Cautious engineering, not legal advice. What is not known is GREY.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.receipt import PolicyStamp, Tier
from oneseat.contract.request import Permitted, Refused, Request
from oneseat.contract.routes import PaidFrom

_CONSUMER_TERMS = "https://www.anthropic.com/legal/consumer-terms"
_LEGAL = "https://code.claude.com/docs/en/legal-and-compliance"
_PLAN_USE = "https://support.claude.com/en/articles/15036540-use-the-claude-agent-sdk-with-your-claude-plan"


Field = Literal["author", "reader", "work_owner"]


class Rule(msgspec.Struct, frozen=True):
    """One line of the table: it says ``tier`` when ``field`` of the purpose has one of ``values``."""

    id: str
    tier: Tier
    field: Field
    values: frozenset[str]
    reason: str
    source: str


#: The rules that say no, those of one tier in the order they are asked.
RULES: tuple[Rule, ...] = (
    Rule(
        "R1",
        "RED",
        "author",
        frozenset({"other_human", "anonymous"}),
        "a personal account is not to be made available to anybody else",
        _CONSUMER_TERMS,
    ),
    Rule(
        "R3",
        "RED",
        "reader",
        frozenset({"third_party_direct", "customers"}),
        "a service that answers others needs an API key",
        _LEGAL,
    ),
    Rule(
        "Y5",
        "GREY",
        "work_owner",
        frozenset({"employer", "client"}),
        "work for others on a personal plan is not clearly allowed, and a contract may forbid it",
        _LEGAL,
    ),
    Rule(
        "Y9",
        "GREY",
        "reader",
        frozenset({"owner_publishes"}),
        "published text is fine when its owner reviews it first, which nobody has said here",
        _LEGAL,
    ),
)
_OWN: dict[Field, frozenset[str]] = {
    "author": frozenset({"owner", "owner_automation"}),
    "reader": frozenset({"owner"}),
    "work_owner": frozenset({"owner"}),
}
#: The rules that say yes, all of them together: the owner's own request, answer and work.
GREEN: tuple[Rule, ...] = tuple(
    Rule("G1", "GREEN", field, values, "the owner's own request, answer and work", _PLAN_USE)
    for field, values in _OWN.items()
)
_UNKNOWN = ("Y13", "what is not known is not assumed to be allowed", _LEGAL)


_KEYS: frozenset[PaidFrom] = frozenset({"api_credits", "api_key"})


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force, and the version of the pack they come from (a date)."""

    pack: str = "2026.11.20"
    rules: tuple[Rule, ...] = RULES
    green: tuple[Rule, ...] = GREEN


def decide(request: Request, view: PolicyView) -> Permitted | Refused:
    """Say what may pay for this request: anything, or keys only, with the rule that keeps the seat out."""
    purpose = request.purpose
    stated: dict[Field, str] = {
        "author": purpose.author,
        "reader": purpose.reader,
        "work_owner": purpose.work_owner,
    }
    for rule in (*_of_tier("RED", view), *_of_tier("GREY", view)):
        if stated[rule.field] in rule.values:
            return _keys_only(request, rule, view, stated[rule.field])
    for rule in view.green:
        if stated[rule.field] not in rule.values:
            name, reason, source = _UNKNOWN
            doubt = Rule(name, "GREY", rule.field, frozenset({stated[rule.field]}), reason, source)
            return _keys_only(request, doubt, view, stated[rule.field])
    stamp = PolicyStamp("GREEN", view.green[0].id, view.pack)
    return Permitted(request=request, policy=stamp)


def _of_tier(tier: Tier, view: PolicyView) -> Iterator[Rule]:
    return (rule for rule in view.rules if rule.tier == tier)


def _keys_only(request: Request, rule: Rule, view: PolicyView, stated: str) -> Permitted:
    return Permitted(
        request=request,
        policy=PolicyStamp(rule.tier, rule.id, view.pack),
        paid_from=_KEYS,
        objection=_refusal(rule, f"`{rule.field} = {stated}`", view),
    )


def _refusal(rule: Rule, stated: str, view: PolicyView) -> ErrorInfo:
    why = f"rule {rule.id}: {rule.reason} ({rule.source}, pack {view.pack})"
    if rule.tier == "RED":
        return ErrorInfo(code="policy.red", message=f"The plan may not serve this request: {stated}\n  {why}")
    return ErrorInfo(
        code="policy.grey",
        message=f"It is not certain that the plan may serve this request: {stated}\n  {why}\n"
        "  the owner could confirm such work in writing, which this version cannot record yet",
    )
