"""The budget of a run: what it may cost, found and reserved before anything is sent, and asked for again when it is used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from oneseat.contract.budgets import FREE, Bound, Budgets, Cap, Price, Prices, Since, Spending, Spent
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.receipt import Wallet
from oneseat.contract.request import Permitted, Plan, Refused, Request
from oneseat.contract.routing import Candidate
from oneseat.rules import bounds, budget
from oneseat.rules import budget_refusals as refusals
from oneseat.rules.budget import Meter

from .leg import Leg
from .record import RunRecord

#: How often, and how long after each other in seconds, a request looks whether others have given back what it lacks.
_LOOKS, _BETWEEN_LOOKS_S = 200, 0.1


class Purse(NamedTuple):
    """Where prices and what was spent are looked up. ``since`` says when this day and this month began."""

    prices: Prices
    spending: Spending
    budgets: Budgets
    since: Callable[[], Since]


async def reserved(purse: Purse, record: RunRecord, permitted: Permitted) -> Permitted | Refused:
    """The request bounded by what is left under its budgets; a refusal when nothing is.

    It comes before the provider is started, so that a provider with a bound of its own can be told.
    """
    leg, request = record.leg, permitted.request
    leg.bounds = bounds.bounds_of(purse.budgets, request, leg.key)
    if not leg.bounds or _is_free(purse, leg.key):
        return permitted
    # What is paid by use is reserved request by request, each as large as it can get.
    spent, cap = await (_when_there(purse, record, 0.0) if leg.by_use else _reserve(purse, record, None))
    if cap is None:
        return Refused(error=bounds.used_up(leg.bounds, spent, record.elsewhere_usd), policy=permitted.policy)
    leg.cap = cap
    if leg.by_use:
        return permitted
    left = cap.most_usd - _used(record)
    return msgspec.structs.replace(permitted, request=msgspec.structs.replace(request, max_budget_usd=left))


async def metered(purse: Purse, record: RunRecord, plan: Plan | Refused) -> Plan | Refused:
    """The plan of an attempt, with a meter on its run, or a refusal when its budget cannot be held or does not reach.

    On a plan without any bound there is no meter, and no price is looked up.
    """
    if isinstance(plan, Refused):
        return plan
    leg, request = record.leg, plan.cleared.permitted.request
    if leg.cap is None and not leg.by_use and request.max_turns is None:
        return plan
    model = plan.capabilities.full_names.get(plan.model, plan.model)
    prices = partial(_price, purse, leg)
    price = prices(model) if leg.cap is not None or leg.by_use else None
    if leg.cap is not None and price is None and purse.budgets.allow_unpriced:
        leg.cap = None
    if leg.meter is None:
        leg.meter = Meter(
            cap=leg.cap, max_turns=request.max_turns, prices=prices, price=price, by_use=leg.by_use
        )
    objection = await _objection(purse, record, plan, model, price)
    if objection is not None:
        cleared = plan.cleared
        return Refused(
            error=objection, policy=cleared.permitted.policy, wallet=cleared.wallet, evidence=cleared.evidence
        )
    if leg.by_use and leg.cap is not None and price is not None:
        return msgspec.structs.replace(plan, allowance=_Allowance(purse, record, price))
    return plan


async def more(purse: Purse, record: RunRecord, needs_usd: float | None = None) -> bool:
    """Reserve more for a run that has used what it had; whether it got any."""
    leg = record.leg
    if leg.cap is None or leg.by_use or (leg.cap.bound.period == "run" and leg.cap.usd >= leg.cap.bound.usd):
        return False
    _, cap = await _reserve(purse, record, needs_usd)
    if cap is None or cap.usd <= leg.cap.usd:
        return False
    _keep(leg, cap)
    return True


async def give_back(purse: Purse, record: RunRecord) -> None:
    """Reserve no more for a run that is paid by use than it has cost: its request is answered, and the next asks anew."""
    leg = record.leg
    if leg.cap is None or not leg.by_use or leg.cap.usd <= _used(record):
        return
    _, cap = await _reserve(purse, record, 0.0)
    if cap is not None:
        _keep(leg, cap)


async def cut_off(purse: Purse, record: RunRecord) -> None:
    """Hold no more for a run that was cut off on a plan than what was seen of it and what it had sent.

    All that it was given may be half of a day, and somebody who stops two runs would have none left.
    """
    leg = record.leg
    if leg.by_use or leg.cap is None or leg.meter is None or leg.meter.price is None or record.cost_is_known:
        return
    plans = [attempt.plan for attempt in leg.attempts if attempt.plan is not None]
    tokens = sum(budget.input_tokens(plan.cleared.permitted.request) for plan in plans)
    usd = _used(record) + bounds.least_cost(tokens, leg.meter.price)
    cap = msgspec.structs.replace(leg.cap, usd=min(usd, leg.cap.usd))
    await purse.spending.reserve(record.run_id, leg.expected, leg.bounds, purse.since(), lambda _: cap)


async def left_usd(
    purse: Purse, wallet: Wallet, request: Request, candidate: Candidate, record: RunRecord | None
) -> float | None:
    """What a candidate's budgets would leave a request, in US dollars; ``None`` where it has none.

    What the run of ``record`` reserved with the candidates before is given back when it goes on, and what it used is not.
    """
    found = bounds.bounds_of(purse.budgets, request, candidate.key)
    if not found:
        return None
    run_id, used, elsewhere = "", 0.0, 0.0
    if record is not None:
        run_id, (used, elsewhere) = record.run_id, record.used_before(candidate.key)
    spent = await _spent(purse, run_id, wallet, found)
    return bounds.leaves(bounds.tightest(found, spent, elsewhere), elsewhere) - used


async def used_up(purse: Purse, wallet: Wallet, request: Request, candidate: Candidate) -> ErrorInfo | None:
    """The refusal that a run with a candidate would meet now, as nothing is left for it; ``None`` where something is."""
    found = bounds.bounds_of(purse.budgets, request, candidate.key)
    if not found or _is_free(purse, candidate.key):
        return None
    spent = await _spent(purse, "", wallet, found)
    return bounds.used_up(found, spent) if bounds.share(found, 0.0, None, spent) is None else None


class _Allowance:
    """Asked by a provider that is paid by use before each of its requests. Implements ``Allowance``."""

    def __init__(self, purse: Purse, record: RunRecord, price: Price) -> None:
        self._purse = purse
        self._record = record
        self._price = price

    async def __call__(self, *, text_bytes: int, pictures: int, output_tokens: int) -> int:
        """Reserve what a request can cost, and say how long its answer may be."""
        leg, used = self._record.leg, _used(self._record)
        sent = bounds.at_most(text_bytes=text_bytes, pictures=pictures)
        needs = bounds.worst_cost(sent, output_tokens, self._price)
        spent, cap = await _when_there(self._purse, self._record, needs)
        tokens = bounds.affordable(cap.usd - used, sent, output_tokens, self._price) if cap is not None else 0
        if cap is None or not tokens:
            raise OneseatError(self._too_little(sent, cap, spent))
        _keep(leg, cap)
        if leg.meter is not None:
            leg.meter.cover(cap.usd - used, tokens, output_tokens)
        return tokens

    def _too_little(self, sent: int, cap: Cap | None, spent: tuple[Spent, ...]) -> ErrorInfo:
        leg = self._record.leg
        if leg.cap is not None and leg.meter is not None and leg.meter.committed_usd:
            # It has had answers: what it was given for those is kept.
            return refusals.reached(leg.cap, leg.meter.committed_usd, at_the_end=False)
        if cap is None:
            return bounds.used_up(leg.bounds, spent, self._record.elsewhere_usd)
        usd = bounds.worst_cost(sent, bounds.LEAST_TOKENS, self._price)
        return refusals.too_large(sent, usd, cap, at_most=True)


async def _objection(
    purse: Purse, record: RunRecord, plan: Plan, model: str, price: Price | None
) -> ErrorInfo | None:
    """Why this attempt must not be sent; ``None`` when it may."""
    leg = record.leg
    if leg.cap is not None:
        if price is None:
            return refusals.unknown_price(model)
        too_large = await _too_large(purse, record, plan, price)
        if too_large is not None:
            return too_large
    reached = leg.meter.may_send() if leg.meter is not None else None
    if reached is not None and reached.code == "budget.reached" and await more(purse, record):
        return None
    return reached


async def _too_large(purse: Purse, record: RunRecord, plan: Plan, price: Price) -> ErrorInfo | None:
    leg, request = record.leg, plan.cleared.permitted.request
    if leg.cap is None:
        return None
    if not leg.by_use:
        tokens = budget.input_tokens(request)
        usd = bounds.least_cost(tokens, price)
        # Asked for what it needs, a run gets it as far as it is there.
        if usd > leg.cap.usd - _used(record):
            await more(purse, record, usd)
        return (
            refusals.too_large(tokens, usd, leg.cap, at_most=False) if usd > _free(record, leg.cap) else None
        )
    text_bytes, pictures = _sent_by(request, plan.background)
    tokens = bounds.at_most(text_bytes=text_bytes, pictures=pictures)
    usd = bounds.worst_cost(tokens, bounds.LEAST_TOKENS, price)
    free = leg.cap.most_usd - _used(record)
    return refusals.too_large(tokens, usd, leg.cap, at_most=True) if usd > free else None


def _sent_by(request: Request, background: str | None) -> tuple[int, int]:
    """How many bytes of text a request sends at least, and how many pictures."""
    text_bytes, pictures = budget.sizes(request)
    text_bytes += len((background or "").encode("utf-8", "surrogatepass"))
    return text_bytes + (len(json.dumps(request.schema)) if request.schema is not None else 0), pictures


async def _reserve(
    purse: Purse, record: RunRecord, needs_usd: float | None, *, patient: bool = False
) -> tuple[tuple[Spent, ...], Cap | None]:
    leg = record.leg
    share = partial(
        bounds.share,
        leg.bounds,
        _used(record),
        needs_usd,
        patient=patient,
        elsewhere_usd=record.elsewhere_usd,
    )
    return await purse.spending.reserve(record.run_id, leg.expected, leg.bounds, purse.since(), share)


async def _when_there(
    purse: Purse, record: RunRecord, needs_usd: float
) -> tuple[tuple[Spent, ...], Cap | None]:
    """Reserve what a request needs, or what there is of it once the others that go on have given back what they can."""
    leg = record.leg
    for _ in range(_LOOKS):
        spent, cap = await _reserve(purse, record, needs_usd, patient=True)
        if cap is not None or not bounds.tightest(leg.bounds, spent, record.elsewhere_usd).held_usd:
            return spent, cap
        await asyncio.sleep(_BETWEEN_LOOKS_S)
    return await _reserve(purse, record, needs_usd)


async def _spent(purse: Purse, run_id: str, wallet: Wallet, found: tuple[Bound, ...]) -> tuple[Spent, ...]:
    """What all runs but this one have cost under each bound; nothing is reserved."""
    spent, _ = await purse.spending.reserve(run_id, wallet, found, purse.since(), lambda _: None)
    return spent


def _keep(leg: Leg, cap: Cap) -> None:
    leg.cap = cap
    if leg.meter is not None:
        leg.meter.cap = cap


def _used(record: RunRecord) -> float:
    """What the run has cost so far, with all candidates, and with the request that is on its way."""
    meter = record.leg.meter
    return record.spent_usd + (meter.committed_usd if meter is not None else 0.0)


def _free(record: RunRecord, cap: Cap) -> float:
    return cap.usd - _used(record)


def _is_free(purse: Purse, key: str | None) -> bool:
    return key is not None and key in purse.budgets.free_keys


def _price(purse: Purse, leg: Leg, model: str) -> Price | None:
    return FREE if _is_free(purse, leg.key) else purse.prices.of(model)
