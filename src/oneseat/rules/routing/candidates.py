"""Which candidates may serve a request, when a run falls back to the next one, and what is sent to it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import NamedTuple

import msgspec

from oneseat._util.time import iso
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import ProviderFeatures, SessionInfo
from oneseat.contract.history import SeenLimit
from oneseat.contract.providers import ROWS, SEATS
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, Need, Outcome, PassedOver, RouteTable
from oneseat.contract.stations import Cleared, Dispatch, Permitted, Refused
from oneseat.rules.budgets.meter import input_tokens
from oneseat.rules.inputs.models import mistyped_model
from oneseat.rules.limits.windows import concerns, percents, windows
from oneseat.rules.runs.retry import PASSING

from .breaker import open_until

#: Errors that another wallet may avoid: a full window, a vendor outage, a used-up budget.
_ELSEWHERE = PASSING | {
    "limit.paused",
    "policy.grey",
    "budget.day_used_up",
    "budget.month_used_up",
    "budget.input_too_large",
    "budget.unknown_price",
}
#: Errors that the owner can fix at no cost. They lead to another plan only, never to a wallet that is charged by use.
_ELSEWHERE_ON_A_PLAN = frozenset(
    {"provider.not_found", "provider.signed_out", "provider.model_not_found", "provider.untested_cli"}
)
_NO_CREDIT = "provider.credit_exhausted"


class CandidateState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a candidate at ``now`` (seconds since 1970): reports on its windows, its last outcomes, its budgets."""

    now: float
    model: str
    seen: Sequence[SeenLimit] = ()
    outcomes: Sequence[Outcome] = ()
    budget_left_usd: float | None = None


class CandidateFailure(NamedTuple):
    """Why a candidate did not serve a run.

    ``missing``: it has no CLI or key. ``served``: it was started. ``acted``: one of its tools may have had an effect.
    """

    candidate: Candidate
    error: ErrorInfo
    missing: bool = False
    served: bool = False
    acted: bool = False


def candidates(request: Request, table: RouteTable) -> tuple[Candidate, ...] | ErrorInfo:
    """The candidates for a request, in order of preference; an error for a name that is not in the settings.

    A request that names a provider or a key is served by that one only. The fallback applies to requests that name neither. A
    request that limits what may pay for it is served by nothing else.
    """
    found = _wanted(request, table)
    if isinstance(found, ErrorInfo):
        return found
    if (mistyped := _mistyped(request, found[0])) is not None:
        return mistyped
    if not request.may_pay:
        return found
    named = request.role or request.key or request.provider
    if named is None and not table.fallback:
        # Naming keys as what may pay is the consent that `fallback.to` is for other requests.
        found = (*found, *(_like(request, each) for each in table.keys))
    return tuple(each for each in found if each.paid_from in request.may_pay) or _nobody(request)


def _wanted(request: Request, table: RouteTable) -> tuple[Candidate, ...] | ErrorInfo:
    if request.role is not None:
        role = table.roles.get(request.role)
        return _unknown("usage.unknown_role", request.role, table.roles) if role is None else role.candidates
    if request.key is not None:
        named = [each for each in table.keys if each.key == request.key]
        return (
            _explicit(request, named[0])
            if named
            else _unknown("usage.unknown_key", request.key, _names(table))
        )
    if request.provider is not None:
        return _of_provider(request, request.provider, table)
    return (table.seat, *(_like(request, each) for each in table.fallback))


def needs(request: Request) -> Iterator[Need]:
    """The features that a request needs besides a text answer."""
    kinds = {attached.media_type for attached in request.attachments}
    found: dict[Need, bool] = {
        "tools": len(request.tools.names) > len(request.tools.of_servers),
        "mcp": bool(request.mcp_servers),
        "functions": bool(request.functions),
        "schema": request.schema is not None,
        "images": any(kind.startswith("image/") for kind in kinds),
        "documents": "application/pdf" in kinds,
        # A quotation of what was said goes to any of them; a conversation is kept by those that can.
        "sessions": request.session is not None and request.session.after is None,
    }
    return (need for need, needed in found.items() if needed)


def ineligible_reason(
    candidate: Candidate, permitted: Permitted, features: ProviderFeatures
) -> ErrorInfo | None:
    """Why a candidate can never serve this request, or may not; ``None`` when it can."""
    if candidate.paid_from not in permitted.paid_from:
        return permitted.objection
    lacking = [need for need in needs(permitted.request) if not getattr(features, need)]
    if not lacking:
        return None
    return ErrorInfo(
        code="usage.provider_cannot",
        message=f"{candidate.label} cannot serve this request: `{', '.join(lacking)}`\n"
        "  it does not offer this; only the official CLIs can act on this machine",
        hint="See which candidates can: `oneseat route --explain ...`",
    )


def unavailable_reason(candidate: Candidate, permitted: Permitted, state: CandidateState) -> ErrorInfo | None:
    """Why a candidate is skipped now if there are several; ``None`` when it is not."""
    return (
        _tier(candidate, permitted)
        or _with(candidate, permitted)
        or _size(candidate, permitted)
        or _budget(candidate, state)
        or _windows(candidate, state)
        or _breaker(candidate, state)
    )


def passed_over(candidate: Candidate, error: ErrorInfo, now: float) -> PassedOver:
    """The entry for a skipped candidate in events and receipts. ``now`` is in seconds since 1970."""
    until = None if error.retry_after_s is None else iso(round(now + error.retry_after_s))
    why = error.message.partition("\n")[0]
    return PassedOver(candidate=candidate.label, code=error.code, why=why, until=until)


def falls_back(error: ErrorInfo, *, acted: bool, left: Candidate, to: Candidate) -> bool:
    """Whether a run falls back from a failed candidate to the next. Never if a tool may have acted: it would act twice."""
    if acted:
        return False
    if error.code == _NO_CREDIT:
        # Included credits run out every month: the fallback after them is meant for that.
        return left.paid_from == "api_credits" or _is_free(left, to)
    return _is_elsewhere(error) or (error.code in _ELSEWHERE_ON_A_PLAN and _is_free(left, to))


def goes_on(failures: Sequence[CandidateFailure], to: Candidate) -> bool:
    """Whether a run goes on to the next candidate after these failures; otherwise it fails with the last one."""
    return all(
        falls_back(each.error, acted=each.acted, left=each.candidate, to=to)
        if each.served
        # A missing CLI or key alone must not lead to a wallet that is charged by use.
        else not each.missing or _is_elsewhere(each.error) or _is_free(each.candidate, to)
        for each in failures
    )


def _is_elsewhere(error: ErrorInfo) -> bool:
    return error.code in _ELSEWHERE or error.code.startswith("limit.")


def _is_free(left: Candidate, to: Candidate) -> bool:
    return to.paid_from in {"plan", left.paid_from}


def no_candidate_error(failures: Sequence[CandidateFailure]) -> ErrorInfo:
    """The error of a run that no candidate served: the first one's error, and why the others were skipped."""
    first, *others = failures
    lines = (f"\n  nor {it.candidate.label}: {it.error.message.partition(chr(10))[0]}" for it in others)
    return msgspec.structs.replace(first.error, message=first.error.message + "".join(lines))


def dispatch(
    cleared: Cleared,
    provider: str,
    model: str,
    capabilities: SessionInfo,
    background: str | None = None,
) -> Dispatch | Refused:
    """Dispatch the request to ``model`` of ``provider``, or refuse a model that the provider does not know.

    The official CLI would send an unknown name to the vendor, which would answer with an API error.
    """
    if model in capabilities.unresolved:
        return Refused(
            error=_unknown_model(model, capabilities.models),
            wallet=cleared.wallet,
            evidence=cleared.evidence,
            policy=cleared.permitted.policy,
        )
    return Dispatch(
        cleared=cleared,
        provider=provider,
        model=model,
        capabilities=capabilities,
        background=background,
    )


def _nobody(request: Request) -> ErrorInfo:
    return ErrorInfo(
        code="policy.wallet",
        message=f"Nothing that may pay for this request can serve it: `{', '.join(request.may_pay)}`",
        hint="See what its client was given: `oneseat clients list`",
    )


def _explicit(request: Request, candidate: Candidate) -> tuple[Candidate, ...]:
    return (msgspec.structs.replace(candidate, model=request.model or candidate.model),)


def _of_provider(request: Request, provider: str, table: RouteTable) -> tuple[Candidate, ...] | ErrorInfo:
    if provider in SEATS:
        return (Candidate(provider=provider, model=request.model),)
    if provider not in ROWS:
        return _unknown("usage.unknown_provider", provider, ROWS)
    of_it = [each for each in table.keys if each.provider == provider]
    if of_it:
        return _explicit(request, of_it[0])
    return ErrorInfo(
        code="usage.no_key",
        message=f"No API key for this provider: `{provider}`\n  your oneseat.toml has no `[keys.NAME]` table for it",
        hint=f"Add one: `oneseat key set NAME --provider {provider}`",
    )


def _like(request: Request, candidate: Candidate) -> Candidate:
    """The candidate with the requested model, if its vendor has a model of that name."""
    row = ROWS.get(candidate.provider)
    begin = row.model_prefix if row is not None else None
    if request.model is None or begin is None or not request.model.startswith(begin):
        return candidate
    return msgspec.structs.replace(candidate, model=request.model)


def _names(table: RouteTable) -> list[str]:
    return [each.key for each in table.keys if each.key is not None]


def _unknown(code: str, name: str, known: Iterable[str]) -> ErrorInfo:
    what = code.rpartition("_")[2]
    there = sorted(known)
    near = get_close_matches(name, there, n=1)
    say = f"there are {', '.join(there)}" if there else f"your oneseat.toml names no {what}"
    return ErrorInfo(
        code=code,
        message=f"Unknown {what}: `{name}`\n  {say}",
        hint=f"Did you mean this: `oneseat run --{what} {near[0]} ...`" if near else None,
    )


def _tier(candidate: Candidate, permitted: Permitted) -> ErrorInfo | None:
    tiers, tier = candidate.when.tiers, permitted.policy.tier
    return None if not tiers or tier in tiers else _unmet(candidate, f"the request is {tier}")


def _with(candidate: Candidate, permitted: Permitted) -> ErrorInfo | None:
    needed, when = set(needs(permitted.request)), candidate.when
    if missing := [need for need in when.only_with if need not in needed]:
        return _unmet(candidate, f"the request has no {', '.join(missing)}")
    if found := [need for need in when.never_with if need in needed]:
        return _unmet(candidate, f"the request has {', '.join(found)}")
    return None


def _size(candidate: Candidate, permitted: Permitted) -> ErrorInfo | None:
    below, least = candidate.when.prompt_below_tokens, candidate.when.prompt_from_tokens
    if below is None and least is None:
        return None
    tokens = input_tokens(permitted.request)
    if (below is None or tokens < below) and (least is None or tokens >= least):
        return None
    return _unmet(candidate, f"the request has about {tokens:,} tokens")


def _budget(candidate: Candidate, state: CandidateState) -> ErrorInfo | None:
    wanted, left = candidate.when.budget_left_usd, state.budget_left_usd
    if wanted is None or left is None or left >= wanted:
        return None
    return _unmet(candidate, f"its budgets have ${left:.2f} left")


def _windows(candidate: Candidate, state: CandidateState) -> ErrorInfo | None:
    """The error for a window that is full, or as full as the owner allows for this candidate."""
    percent = candidate.when.window_below_percent
    for window in windows(state.seen, state.now):
        if not concerns(window.name, state.model):
            continue
        wait = None if window.resets_at is None else max(0.0, round(window.resets_at - state.now, 1))
        if window.status == "rejected":
            return _waiting(f"limit.{window.name}", f"Its window `{window.name}` is full", candidate, wait)
        if percent is not None and window.share is not None and percents(window.share) >= percent:
            used = f"its window `{window.name}` is at {int(percents(window.share))} %"
            return msgspec.structs.replace(_unmet(candidate, used), retry_after_s=wait, whose_turn="wait")
    return None


def _breaker(candidate: Candidate, state: CandidateState) -> ErrorInfo | None:
    until = open_until(state.outcomes)
    if until is None or until <= state.now:
        return None
    why = f"It failed several times in a row, last with `{state.outcomes[-1].code}`"
    return _waiting("provider.circuit_open", why, candidate, round(until - state.now, 1))


def _unmet(candidate: Candidate, why: str) -> ErrorInfo:
    return ErrorInfo(
        code="policy.conditions",
        message=f"Your settings exclude {candidate.label} for this request: {why}",
        hint="See each candidate's conditions: `oneseat route --explain ...`",
    )


def _waiting(code: str, why: str, candidate: Candidate, wait: float | None) -> ErrorInfo:
    return ErrorInfo(code=code, message=f"{why}: {candidate.label}", whose_turn="wait", retry_after_s=wait)


def _mistyped(request: Request, first: Candidate) -> ErrorInfo | None:
    """A model that is nearly a known one. What a server of the owner's choice calls its models, only that server knows."""
    row = ROWS.get(first.provider)
    if row is None or row.vendor is None:
        return None
    for option, name in (("model", request.model), ("fallback-model", request.fallback_model)):
        error = mistyped_model(name, f"oneseat run --{option} {{}} ...") if name is not None else None
        if error is not None:
            return error
    return None


def _unknown_model(model: str, offered: tuple[str, ...]) -> ErrorInfo:
    near = get_close_matches(model, offered, n=1)
    return ErrorInfo(
        code="usage.unknown_model",
        message=f"Unknown model: `{model}`\n  the official CLI offers {', '.join(offered)}, or a full name such as claude-sonnet-5",
        hint=f"Did you mean this: `oneseat run --model {near[0]} ...`" if near else None,
    )
