"""Reports which candidate would serve a request now, and why others would not. Starts, sends and reserves nothing."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.ports import Provider
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, CandidateReport, RouteReport
from oneseat.contract.stations import Permitted, Refused
from oneseat.rules.budgets.meter import input_tokens
from oneseat.rules.policy import decide as policy
from oneseat.rules.routing import candidates as routing
from oneseat.rules.routing.candidates import CandidateFailure
from oneseat.rules.runs import sessions

from . import availability
from .budgets import CandidateBudget
from .deps import RunDeps
from .limits import check_windows


async def explain(deps: RunDeps, request: Request) -> RouteReport:
    """Who would serve, decided as the run itself decides.

    Raises ``OneseatError`` for a request that the run would refuse, whoever served it, and for a ledger that cannot be read.
    """
    nesting_error = sessions.nesting_error(deps.nesting)
    if nesting_error is not None:
        raise OneseatError(nesting_error)
    permitted = policy.decide(request, await deps.policy.view(deps.provider))
    if isinstance(permitted, Refused):
        raise OneseatError(permitted.error)
    candidates = routing.candidates(request, deps.routes)
    if isinstance(candidates, ErrorInfo):
        raise UsageError(candidates)
    alone = len(candidates) == 1
    failures: list[CandidateFailure] = []
    reports: list[CandidateReport] = []
    for candidate in candidates:
        if not any(each.serves for each in reports) and not routing.goes_on(failures, candidate):
            reports.append(_not_tried(candidate, failures[-1].error))
            continue
        report, failure = await _report(deps, candidate, permitted, alone=alone)
        reports.append(report)
        failures += [failure] if failure is not None else []
    chosen = next((report.candidate for report in reports if report.serves), None)
    return RouteReport(
        chosen=chosen,
        role=request.role,
        tier=permitted.policy.tier,
        rule=permitted.policy.rule,
        pack=permitted.policy.pack,
        needs=tuple(routing.needs(request)),
        prompt_tokens=input_tokens(request),
        candidates=tuple(reports),
        error=routing.no_candidate_error(failures) if chosen is None else None,
    )


async def _report(
    deps: RunDeps, candidate: Candidate, permitted: Permitted, *, alone: bool
) -> tuple[CandidateReport, CandidateFailure | None]:
    provider, failure = await availability.check(deps, candidate, permitted, alone=alone)
    if failure is None and provider is not None:
        error = await _refusal(deps, candidate, provider, permitted) or await deps.foresee(candidate)
        failure = CandidateFailure(candidate, error, served=True) if error is not None else None
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


def _not_tried(candidate: Candidate, left: ErrorInfo) -> CandidateReport:
    """A candidate to which the run does not go on: the one before failed in a way that no other wallet may cure."""
    return CandidateReport(
        candidate=candidate.label,
        provider=candidate.provider,
        model=candidate.model,
        paid_from=candidate.paid_from,
        key=candidate.key,
        serves=False,
        code=left.code,
        why="it would not be tried after this failure of the one before",
    )


async def _refusal(
    deps: RunDeps, candidate: Candidate, provider: Provider, permitted: Permitted
) -> ErrorInfo | None:
    """The error if a full window or a used-up budget would refuse a run with this candidate before it starts."""
    asked = policy.for_candidate(permitted, candidate)
    window = await check_windows(deps.windows, asked, provider)
    if isinstance(window, Refused):
        return window.error
    return await CandidateBudget(deps.budgets, candidate, provider.wallet, asked.request).used_up()
