"""The budget of a run: what it may cost, found and reserved before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec

from oneseat.contract.budget import DayLimits, Prices, Spending
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.receipt import Wallet
from oneseat.contract.request import Permitted, Plan, Refused
from oneseat.rules import budget
from oneseat.rules.budget import Meter

from .record import RunRecord


class Purse(NamedTuple):
    """Where prices and the day's spending are looked up. ``day_usd`` is the owner's limit; ``midnight`` is when the day began."""

    prices: Prices
    spending: Spending
    day_usd: float | None
    midnight: Callable[[], str]


async def reserved(
    purse: Purse, record: RunRecord, wallet: Wallet, permitted: Permitted
) -> Permitted | Refused:
    """The request bounded by what is left of its day, which is the run's from here on; a refusal when nothing is left.

    It comes before the provider is started, so that a provider with a bound of its own can be told.
    """
    request, project = permitted.request, permitted.request.project
    wanted = request.max_budget_usd
    if wanted is not None:
        # What candidates before this one have cost was the run's money too.
        wanted = max(0.0, wanted - record.spent_usd)
    limits = DayLimits(
        all_usd=purse.day_usd, project_usd=project.day_budget_usd if project is not None else None
    )
    if wanted is None and limits == DayLimits():
        return permitted
    name = project.name if project is not None else None
    share = partial(budget.share, wanted, limits)
    spent, cap = await purse.spending.reserve(record.run_id, name, wallet, purse.midnight(), share)
    if cap is None:
        return Refused(error=budget.day_used_up(limits, spent, name), policy=permitted.policy)
    record.leg.cap = cap
    return msgspec.structs.replace(
        permitted, request=msgspec.structs.replace(request, max_budget_usd=cap.usd)
    )


def metered(purse: Purse, record: RunRecord, plan: Plan | Refused) -> Plan | Refused:
    """The plan of an attempt, with a meter on its run, or a refusal when its budget cannot be held or does not reach.

    On a plan without any bound there is no meter, and no price is looked up.
    """
    if isinstance(plan, Refused):
        return plan
    request, price = plan.cleared.permitted.request, None
    model = plan.capabilities.full_names.get(plan.model, plan.model)
    on_key = record.leg.paid_from != "plan"
    if record.leg.cap is not None or on_key:
        price = purse.prices.of(model)
    if record.leg.cap is not None:
        if price is None:
            return _refused(plan, budget.unknown_price(model))
        too_large = budget.over_before(request, record.leg.cap, price)
        if too_large is not None:
            return _refused(plan, too_large)
    if record.leg.meter is not None:
        reached = record.leg.meter.may_send()
        return _refused(plan, reached) if reached is not None else plan
    if record.leg.cap is not None or on_key or request.max_turns is not None:
        turns, prices = request.max_turns, purse.prices.of
        record.leg.meter = Meter(cap=record.leg.cap, max_turns=turns, prices=prices, price=price)
    return plan


def _refused(plan: Plan, error: ErrorInfo) -> Refused:
    cleared = plan.cleared
    return Refused(
        error=error, policy=cleared.permitted.policy, wallet=cleared.wallet, evidence=cleared.evidence
    )
