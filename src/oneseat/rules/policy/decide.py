"""Decides whether the owner's plan may serve a request: the first RED rule wins, then the first GREY, then a complete GREEN.

The rules are data, from a policy pack. Cautious engineering, not legal advice. Unknown inputs are GREY.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import CredentialFacts, PayerFacts
from oneseat.contract.policy import InputName, PolicyInputs, TokenHandling
from oneseat.contract.policy_pack import Condition, Confirmation, Pack, Rule
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, PaidFrom
from oneseat.contract.stations import Cleared, Permitted, Refused

from .inputs import AT_THE_GATE, PolicyEnvironment, draws_from, expires_soon, inputs_of, plan_of
from .messages import JobClass, policy_error

#: The inputs that make a rule hold, or keep it from holding.
Because: TypeAlias = dict[InputName, str | int | None]

_ANY: frozenset[PaidFrom] = frozenset({"plan", "api_credits", "api_key"})
_KEYS: frozenset[PaidFrom] = frozenset({"api_credits", "api_key"})
_KNOWN: frozenset[InputName] = frozenset()
_NO_CLASS = JobClass()
_SETUP_TOKENS = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"})


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force, the day (ISO 8601), the owner's confirmations, and the environment of the request."""

    pack: Pack
    day: str
    confirmations: tuple[Confirmation, ...] = ()
    environment: PolicyEnvironment = PolicyEnvironment()


class Decision(NamedTuple):
    """The rule that decided, the inputs that made it hold, and the owner's confirmation, if any."""

    rule: Rule
    inputs: PolicyInputs
    because: Because
    confirmed: Confirmation | None = None

    @property
    def paid_from(self) -> frozenset[PaidFrom]:
        """What may pay; empty when the rule refuses."""
        if self.rule.tier == "GREEN" or self.confirmed is not None:
            return _ANY
        return frozenset() if self.rule.action == "refuse" else _KEYS


def decide(request: Request, view: PolicyView) -> Permitted | Refused:
    """Decide what may pay for this request, from the facts known before the official CLI is asked who pays."""
    inputs = inputs_of(request, view.environment, view.pack, view.day, view.confirmations)
    later = AT_THE_GATE - {"plan"} if view.environment.plan is not None else AT_THE_GATE
    return _permitted(request, judge(inputs, view, job_class(request), later), view)


def confirm(permitted: Permitted, facts: PayerFacts, view: PolicyView) -> Permitted | Refused:
    """Decide again with the facts that only the billing gate has: the plan's name and the kind of token.

    Returns a refusal when the plan may not serve after all. Facts from other CLIs than the official `claude` change nothing.
    """
    if not isinstance(facts, CredentialFacts):
        return permitted
    account = facts.account
    setup = account is not None and account.token_source in _SETUP_TOKENS
    token: TokenHandling = "env_setup_token_by_owner" if setup else "native_login"
    plan = plan_of(account.subscription if account is not None else None, view.pack)
    if setup and plan == "unknown":
        # Only paid plans can create such a token, and it does not name the plan.
        plan = view.environment.plan or "paid_unnamed"
    inputs = msgspec.structs.replace(
        permitted.inputs or PolicyInputs(),
        token_handling=token,
        plan=plan,
        draws_from=draws_from(view.pack, view.day, token),
    )
    request = permitted.request
    return for_seat(_permitted(request, judge(inputs, view, job_class(request)), view))


def confirm_cleared(cleared: Cleared, facts: PayerFacts, view: PolicyView) -> Cleared | Refused:
    """Decide again as ``confirm`` does; the same object where nothing has changed."""
    before = cleared.permitted
    now = confirm(before, facts, view)
    if now is before:
        return cleared
    if isinstance(now, Refused):
        return msgspec.structs.replace(now, wallet=cleared.wallet, evidence=cleared.evidence)
    budgeted = msgspec.structs.replace(cleared.budgeted, permitted=now)
    return msgspec.structs.replace(cleared, budgeted=budgeted)


def for_candidate(permitted: Permitted, candidate: Candidate) -> Permitted:
    """The request as this candidate gets it. The policy decision does not depend on the model."""
    request = permitted.request
    changed = msgspec.structs.replace(
        request,
        model=candidate.model or request.model,
        # Only the official CLI knows the fallback model's name.
        fallback_model=request.fallback_model if candidate.paid_from == "plan" else None,
    )
    return msgspec.structs.replace(permitted, request=changed)


def with_model(permitted: Permitted, model: str) -> Permitted:
    """The request for another model, without a further fallback model."""
    request = msgspec.structs.replace(permitted.request, model=model, fallback_model=None)
    return msgspec.structs.replace(permitted, request=request)


def refusal(permitted: Permitted) -> ErrorInfo | None:
    """Why the plan may not pay for this request; ``None`` when it may."""
    return None if "plan" in permitted.paid_from else permitted.objection


def for_seat(decided: Permitted | Refused) -> Permitted | Refused:
    """The same decision for a run that can use the plan only."""
    error = None if isinstance(decided, Refused) else refusal(decided)
    if error is None:
        return decided
    return Refused(error=error, policy=decided.policy, inputs=decided.inputs)


def judge(
    inputs: PolicyInputs,
    view: PolicyView,
    of: JobClass = _NO_CLASS,
    later: frozenset[InputName] = _KNOWN,
) -> Decision:
    """The rule that decides. Inputs in ``later`` are known only at the billing gate and decide nothing by themselves before."""
    rules = sorted((rule for rule in view.pack.rules if rule.holds(view.day)), key=_priority)
    for rule in rules:
        if rule.tier == "RED" and (because := _met(rule, inputs, later)) is not None:
            return Decision(rule, inputs, because)
    confirmed: list[Decision] = []
    for rule in rules:
        if rule.tier == "GREY" and rule.when and (because := _met(rule, inputs, later)) is not None:
            word = next((each for each in _confirmations(rule, view, of) if each.because == because), None)
            if word is None:
                return Decision(rule, inputs, because)
            confirmed.append(Decision(rule, inputs, because, word))
    return _without_objection(inputs, view, of, later, rules, confirmed)


def _without_objection(
    inputs: PolicyInputs,
    view: PolicyView,
    of: JobClass,
    later: frozenset[InputName],
    rules: list[Rule],
    confirmed: list[Decision],
) -> Decision:
    """The decision when no rule forbids: a GREEN rule must allow the request, except for what the owner has confirmed."""
    otherwise = next(rule for rule in rules if not rule.when)
    confirmed += [
        Decision(otherwise, inputs, word.because, word)
        for word in _confirmations(otherwise, view, of)
        if all(getattr(inputs, name) == value for name, value in word.because.items())
    ]
    settled = later.union(*(decision.because for decision in confirmed))
    lacking, rule = min(
        ((_lacking(rule, inputs, settled), rule) for rule in rules if rule.tier == "GREEN"),
        key=lambda found: len(found[0]),
    )
    if lacking:
        return Decision(otherwise, inputs, lacking)
    # The receipt shows the confirmation of the first rule that needed one.
    needed = (it for it in confirmed if it.rule.when or _lacking(rule, inputs, later))
    return next(needed, Decision(rule, inputs, {}))


def holds(condition: Condition, inputs: PolicyInputs) -> bool:
    """Whether a condition holds. No condition on an unknown number holds."""
    value: object = getattr(inputs, condition.field)
    wanted = condition.value
    if condition.op in {"more_than", "at_most"}:
        if not isinstance(value, int) or not isinstance(wanted, int):
            return False
        return value > wanted if condition.op == "more_than" else value <= wanted
    return value in wanted if isinstance(wanted, tuple) else value == wanted


def job_class(request: Request) -> JobClass:
    """The project and client that a confirmation is bound to, besides a rule and its inputs."""
    return JobClass(request.project.name if request.project is not None else None, request.client)


def _met(rule: Rule, inputs: PolicyInputs, later: frozenset[InputName]) -> Because | None:
    """The inputs that make one group of conditions hold; ``None`` when no group holds."""
    for group in rule.when:
        known = [condition for condition in group if condition.field not in later]
        # A RED rule waits for inputs known only at the gate; a GREY rule holds on what is known now.
        enough = len(known) == len(group) if rule.tier == "RED" else bool(known)
        if enough and all(holds(condition, inputs) for condition in known):
            # Omit the gate's inputs, so that a confirmation is the same before and after the gate.
            telling = [each for each in group if each.field not in AT_THE_GATE] or known
            return {condition.field: getattr(inputs, condition.field) for condition in telling}
    return None


def _lacking(rule: Rule, inputs: PolicyInputs, settled: Iterable[InputName]) -> Because:
    """The inputs that keep a GREEN rule from holding."""
    return {
        condition.field: getattr(inputs, condition.field)
        for condition in rule.when[0]
        if condition.field not in settled and not holds(condition, inputs)
    }


def _confirmations(rule: Rule, view: PolicyView, of: JobClass) -> list[Confirmation]:
    """The owner's confirmations of this rule, as it is now, for this class of work."""
    return [
        each for each in view.confirmations if each.rule == rule and (each.project, each.client) == tuple(of)
    ]


def _priority(rule: Rule) -> int:
    return rule.priority


def _permitted(request: Request, decision: Decision, view: PolicyView) -> Permitted | Refused:
    rule, paid_from, word = decision.rule, decision.paid_from, decision.confirmed
    stamp = PolicyStamp(
        rule.tier,
        rule.id,
        view.pack.meta.pack_version,
        word.at if word is not None else None,
        expires_soon(view.pack, view.day),
    )
    error = None
    if "plan" not in paid_from:
        error = policy_error(rule, decision.because, view.pack, job_class(request))
    if error is not None and not paid_from:
        return Refused(error=error, policy=stamp, inputs=decision.inputs)
    return Permitted(
        request=request, policy=stamp, paid_from=paid_from, objection=error, inputs=decision.inputs
    )
