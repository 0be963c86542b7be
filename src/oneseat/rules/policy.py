"""May this person's plan serve this request? The first RED rule wins, then the first GREY, GREEN only if all of one holds.

The rules are data: a policy pack. Cautious engineering, not legal advice. What is not known is GREY.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import CredentialFacts, PayerFacts
from oneseat.contract.pack import Condition, Confirmation, Pack, Rule
from oneseat.contract.policy import InputName, PolicyInputs, TokenHandling
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Request
from oneseat.contract.routes import Candidate, PaidFrom
from oneseat.contract.stations import Cleared, Permitted, Refused

from .policy_inputs import AT_THE_GATE, Around, draws_from, inputs_of, plan_of
from .policy_words import JobClass, objection

#: The inputs by which a rule holds, or by which one does not.
Because: TypeAlias = dict[InputName, str | int | None]

_ANY: frozenset[PaidFrom] = frozenset({"plan", "api_credits", "api_key"})
_KEYS: frozenset[PaidFrom] = frozenset({"api_credits", "api_key"})
_KNOWN: frozenset[InputName] = frozenset()
_NO_CLASS = JobClass()
_SETUP_TOKENS = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"})


class PolicyView(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force, the day they are asked on (ISO 8601), what the owner has confirmed, and what is known besides."""

    pack: Pack
    day: str
    confirmations: tuple[Confirmation, ...] = ()
    around: Around = Around()


class Decision(NamedTuple):
    """One judgement: the rule that decided, by which inputs, and the owner's word on such work, if there is one."""

    rule: Rule
    inputs: PolicyInputs
    because: Because
    confirmed: Confirmation | None = None

    @property
    def paid_from(self) -> frozenset[PaidFrom]:
        """What may pay; nothing where the rule refuses."""
        if self.rule.tier == "GREEN" or self.confirmed is not None:
            return _ANY
        return frozenset() if self.rule.action == "refuse" else _KEYS


def decide(request: Request, view: PolicyView) -> Permitted | Refused:
    """Say what may pay for this request, by everything that is known before the official CLI is asked who pays."""
    inputs = inputs_of(request, view.around, view.pack, view.day, view.confirmations)
    later = AT_THE_GATE - {"plan"} if view.around.plan is not None else AT_THE_GATE
    return _permitted(request, judge(inputs, view, job_class(request), later), view)


def confirm(permitted: Permitted, facts: PayerFacts, view: PolicyView) -> Permitted | Refused:
    """Decide again with what only the billing gate has seen: the plan's name and the kind of its token.

    Returns a refusal where the plan may not serve after all. What the official `claude` CLI has not said changes nothing.
    """
    if not isinstance(facts, CredentialFacts):
        return permitted
    account = facts.account
    setup = account is not None and account.token_source in _SETUP_TOKENS
    token: TokenHandling = "env_setup_token_by_owner" if setup else "native_login"
    plan = plan_of(account.subscription if account is not None else None, view.pack)
    if setup and plan == "unknown":
        # The vendor gives such a token to paid plans only, and it does not tell to which.
        plan = view.around.plan or "paid_unnamed"
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
    """The request as this candidate gets it. What the policy decides on does not change with the model."""
    request = permitted.request
    changed = msgspec.structs.replace(
        request,
        model=candidate.model or request.model,
        # A name that only the official CLI knows.
        fallback_model=request.fallback_model if candidate.paid_from == "plan" else None,
    )
    return msgspec.structs.replace(permitted, request=changed)


def with_model(permitted: Permitted, model: str) -> Permitted:
    """The request for another model, after which no further one is tried."""
    request = msgspec.structs.replace(permitted.request, model=model, fallback_model=None)
    return msgspec.structs.replace(permitted, request=request)


def refusal(permitted: Permitted) -> ErrorInfo | None:
    """Why the plan may not pay for this request; ``None`` when it may."""
    return None if "plan" in permitted.paid_from else permitted.objection


def for_seat(decided: Permitted | Refused) -> Permitted | Refused:
    """The same decision for a caller that has nothing but the seat."""
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
    """The rule that decides. Inputs in ``later`` will be known at the billing gate: by themselves they decide nothing before."""
    rules = sorted((rule for rule in view.pack.rules if rule.holds(view.day)), key=_priority)
    for rule in rules:
        if rule.tier == "RED" and (because := _met(rule, inputs, later)) is not None:
            return Decision(rule, inputs, because)
    confirmed: list[Decision] = []
    for rule in rules:
        if rule.tier == "GREY" and rule.when and (because := _met(rule, inputs, later)) is not None:
            word = next((each for each in _words(rule, view, of) if each.because == because), None)
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
    """No rule says no: one has to say yes, but for what the owner has confirmed."""
    otherwise = next(rule for rule in rules if not rule.when)
    confirmed += [
        Decision(otherwise, inputs, word.because, word)
        for word in _words(otherwise, view, of)
        if all(getattr(inputs, name) == value for name, value in word.because.items())
    ]
    settled = later.union(*(decision.because for decision in confirmed))
    lacking, rule = min(
        ((_lacking(rule, inputs, settled), rule) for rule in rules if rule.tier == "GREEN"),
        key=lambda found: len(found[0]),
    )
    if lacking:
        return Decision(otherwise, inputs, lacking)
    # The word of the rule that was asked first stands on the receipt; a word that was not needed does not.
    needed = (it for it in confirmed if it.rule.when or _lacking(rule, inputs, later))
    return next(needed, Decision(rule, inputs, {}))


def holds(condition: Condition, inputs: PolicyInputs) -> bool:
    """Whether one condition holds. A number that is not known makes none hold."""
    value: object = getattr(inputs, condition.field)
    wanted = condition.value
    if condition.op in {"more_than", "at_most"}:
        if not isinstance(value, int) or not isinstance(wanted, int):
            return False
        return value > wanted if condition.op == "more_than" else value <= wanted
    return value in wanted if isinstance(wanted, tuple) else value == wanted


def job_class(request: Request) -> JobClass:
    """What a confirmation is bound to besides a rule and its inputs."""
    return JobClass(request.project.name if request.project is not None else None, request.client)


def _met(rule: Rule, inputs: PolicyInputs, later: frozenset[InputName]) -> Because | None:
    """The inputs by which one group of conditions holds, ``None`` when none does."""
    for group in rule.when:
        known = [condition for condition in group if condition.field not in later]
        # Of a rule that forbids, the gate asks for what is not known yet; one that doubts has reason enough to doubt now.
        enough = len(known) == len(group) if rule.tier == "RED" else bool(known)
        if enough and all(holds(condition, inputs) for condition in known):
            # What the gate adds is left out, so that a confirmation is the same before and after it.
            telling = [each for each in group if each.field not in AT_THE_GATE] or known
            return {condition.field: getattr(inputs, condition.field) for condition in telling}
    return None


def _lacking(rule: Rule, inputs: PolicyInputs, settled: Iterable[InputName]) -> Because:
    """The inputs that keep a rule from its yes."""
    return {
        condition.field: getattr(inputs, condition.field)
        for condition in rule.when[0]
        if condition.field not in settled and not holds(condition, inputs)
    }


def _words(rule: Rule, view: PolicyView, of: JobClass) -> list[Confirmation]:
    """What the owner has said of this rule, as it is now, for this class of work."""
    return [
        each for each in view.confirmations if each.rule == rule and (each.project, each.client) == tuple(of)
    ]


def _priority(rule: Rule) -> int:
    return rule.priority


def _permitted(request: Request, decision: Decision, view: PolicyView) -> Permitted | Refused:
    rule, paid_from, word = decision.rule, decision.paid_from, decision.confirmed
    stamp = PolicyStamp(
        rule.tier, rule.id, view.pack.meta.pack_version, word.at if word is not None else None
    )
    error = None
    if "plan" not in paid_from:
        error = objection(rule, decision.because, view.pack, job_class(request))
    if error is not None and not paid_from:
        return Refused(error=error, policy=stamp, inputs=decision.inputs)
    return Permitted(
        request=request, policy=stamp, paid_from=paid_from, objection=error, inputs=decision.inputs
    )
