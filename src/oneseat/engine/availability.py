"""Checks whether a candidate can serve a request now: its features, usage windows, last failures and budgets."""

from __future__ import annotations

from typing import NamedTuple

from oneseat.contract.errors import OneseatError
from oneseat.contract.ports import Provider
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate
from oneseat.contract.stations import Permitted
from oneseat.rules.routing import candidates as routing
from oneseat.rules.routing.breaker import REMEMBERED_S
from oneseat.rules.routing.candidates import CandidateFailure, CandidateState

from .budgets import CandidateBudget
from .deps import RunDeps
from .record import RunRecord


class Availability(NamedTuple):
    """A candidate's provider, if it could be made, and why the candidate cannot serve."""

    provider: Provider | None
    failure: CandidateFailure | None = None


async def check(
    deps: RunDeps,
    candidate: Candidate,
    permitted: Permitted,
    *,
    alone: bool,
    record: RunRecord | None = None,
) -> Availability:
    """Check a candidate. If it is ``alone``, ignore its windows and failures: no other could serve instead.

    ``record`` is the record of the current run, if there is one.
    """
    try:
        provider = deps.providers.of(candidate)
        error = routing.ineligible_reason(candidate, permitted, provider.features)
        if error is None and not alone:
            state = await _state(deps, candidate, provider, permitted.request, record)
            error = routing.unavailable_reason(candidate, permitted, state)
    except OneseatError as failure:
        return Availability(None, CandidateFailure(candidate, failure.info, missing=True))
    return Availability(provider, CandidateFailure(candidate, error) if error is not None else None)


def model_of(candidate: Candidate, provider: Provider, request: Request) -> str:
    """The model to request from a candidate."""
    return candidate.model or request.model or provider.default_model


async def _state(
    deps: RunDeps, candidate: Candidate, provider: Provider, request: Request, record: RunRecord | None
) -> CandidateState:
    now = deps.windows.now()
    simulated = provider.wallet == "simulator"
    on_plan = candidate.paid_from == "plan"
    return CandidateState(
        now=now,
        model=model_of(candidate, provider, request),
        seen=await deps.windows.history.limits(provider.name, now, simulated=simulated) if on_plan else (),
        outcomes=await deps.outcomes.outcomes(candidate, now - REMEMBERED_S),
        budget_left_usd=await _left_usd(deps, candidate, provider, request, record),
    )


async def _left_usd(
    deps: RunDeps, candidate: Candidate, provider: Provider, request: Request, record: RunRecord | None
) -> float | None:
    if candidate.when.budget_left_usd is None:
        return None
    # A run releases its reservation when it goes on to another candidate, but what it used still counts.
    costs = record.costs(candidate.key) if record is not None else None
    return await CandidateBudget(deps.budgets, candidate, provider.wallet, request, costs).left_usd()
