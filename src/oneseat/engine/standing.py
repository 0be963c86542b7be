"""Whether a candidate serves a request now: what it can do, how its windows and its last runs stand."""

from __future__ import annotations

from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.ports import Provider
from oneseat.contract.request import Permitted, Request
from oneseat.contract.routing import Candidate
from oneseat.rules import routing
from oneseat.rules.breaker import REMEMBERED_S
from oneseat.rules.routing import Standing

from .parts import Parts
from .record import RunRecord
from .spending import left_usd


class Looked(NamedTuple):
    """A candidate's provider, or why it does not serve; ``raised`` is what looking for it ended with."""

    provider: Provider | None
    error: ErrorInfo | None = None
    raised: OneseatError | None = None


async def look(
    parts: Parts,
    candidate: Candidate,
    permitted: Permitted,
    *,
    alone: bool,
    record: RunRecord | None = None,
) -> Looked:
    """Look at a candidate. One that is ``alone`` is asked whatever happened before: there is nobody to ask instead.

    ``record`` is of the run that looks, where there is one.
    """
    try:
        provider = parts.providers.of(candidate)
        error = routing.objection(candidate, permitted, provider.abilities)
        if error is None and not alone:
            standing = await _standing(parts, candidate, provider, permitted.request, record)
            error = routing.not_now(candidate, permitted, standing)
    except OneseatError as failure:
        return Looked(None, failure.info, failure)
    return Looked(provider, error)


def model_of(candidate: Candidate, provider: Provider, request: Request) -> str:
    """The model that a candidate is asked for."""
    return candidate.model or request.model or provider.default_model


async def _standing(
    parts: Parts, candidate: Candidate, provider: Provider, request: Request, record: RunRecord | None
) -> Standing:
    now = parts.room.now()
    simulated = provider.wallet == "simulator"
    on_plan = candidate.paid_from == "plan"
    return Standing(
        now=now,
        model=model_of(candidate, provider, request),
        seen=await parts.room.history.limits(provider.name, now, simulated=simulated) if on_plan else (),
        outcomes=await parts.outcomes.outcomes(candidate, now - REMEMBERED_S),
        budget_left_usd=None
        if candidate.when.budget_left_usd is None
        else await left_usd(parts.purse, provider.wallet, request, candidate, record),
    )
