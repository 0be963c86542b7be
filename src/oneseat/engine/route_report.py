"""Reports which candidate would serve a request now, and why others would not. Starts, sends and reserves nothing."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.ports import Provider
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, CandidateReport, RouteReport
from oneseat.contract.stations import Permitted, Refused
from oneseat.rules.budgets.meter import input_tokens
from oneseat.rules.policy import decide as policy
from oneseat.rules.routing import candidates as routing
from oneseat.rules.routing.candidates import CandidateFailure

from . import availability
from .budgets import CandidateBudget
from .deps import RunDeps
from .limits import check_windows


async def explain(deps: RunDeps, request: Request) -> RouteReport:
    """Raises ``OneseatError`` for a role, key or provider that is not there, and for a ledger that cannot be read."""
    permitted = policy.decide(request, await deps.policy.view(deps.provider))
    if isinstance(permitted, Refused):
        raise OneseatError(permitted.error)
    candidates = routing.candidates(request, deps.routes)
    if isinstance(candidates, ErrorInfo):
        raise OneseatError(candidates)
    alone = len(candidates) == 1
    found = [await _report(deps, candidate, permitted, alone=alone) for candidate in candidates]
    failures = [failure for _, failure in found if failure is not None]
    reports = tuple(report for report, _ in found)
    chosen = next((report.candidate for report in reports if report.serves), None)
    return RouteReport(
        chosen=chosen,
        role=request.role,
        tier=permitted.policy.tier,
        rule=permitted.policy.rule,
        pack=permitted.policy.pack,
        needs=tuple(routing.needs(request)),
        prompt_tokens=input_tokens(request),
        candidates=reports,
        error=routing.no_candidate_error(failures) if chosen is None else None,
    )


async def _report(
    deps: RunDeps, candidate: Candidate, permitted: Permitted, *, alone: bool
) -> tuple[CandidateReport, CandidateFailure | None]:
    provider, failure = await availability.check(deps, candidate, permitted, alone=alone)
    if failure is None and provider is not None:
        error = await _refusal(deps, candidate, provider, permitted)
        failure = CandidateFailure(candidate, error) if error is not None else None
    passed = None
    if failure is not None:
        passed = routing.passed_over(candidate, failure.error, deps.windows.now())
    model = candidate.model or permitted.request.model
    report = CandidateReport(
        candidate=candidate.label,
        provider=candidate.provider,
        model=model if provider is None else availability.model_of(candidate, provider, permitted.request),
        paid_from=candidate.paid_from,
        key=candidate.key,
        serves=failure is None,
        code=passed.code if passed is not None else None,
        why=passed.why if passed is not None else None,
        until=passed.until if passed is not None else None,
    )
    return report, failure


async def _refusal(
    deps: RunDeps, candidate: Candidate, provider: Provider, permitted: Permitted
) -> ErrorInfo | None:
    """The error if a full window or a used-up budget would refuse a run with this candidate before it starts."""
    asked = policy.for_candidate(permitted, candidate)
    window = await check_windows(deps.windows, asked, provider)
    if isinstance(window, Refused):
        return window.error
    return await CandidateBudget(deps.budgets, candidate, provider.wallet, asked.request).used_up()
