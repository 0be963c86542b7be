"""Which budgets a run is under, what it may have of them, and how long an answer they cover. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from oneseat.contract.budgets import NO_BUDGET, Allowance, Amounts, Bound, Budgets, Cap, Price, Scope, Spent
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Request
from oneseat.contract.stations import Budgeted, Dispatch, Permitted
from oneseat.rules.policy import decide as policy

from . import messages as refusals
from .meter import cost

#: A shared budget is not cut into pieces smaller than a cent.
_CENT = 0.01
#: An answer cut after fewer tokens is not worth what the question costs.
LEAST_TOKENS = 16
#: What a request has besides its text: roles, separators, names of fields.
_FRAME_TOKENS = 200
#: What an image or a page costs at most, whichever vendor counts it.
_PICTURE_TOKENS = 5000


def reserve(permitted: Permitted, reservation: Cap, *, by_use: bool = False) -> Budgeted:
    """The request under what is reserved for it: ``NO_BUDGET`` where nothing bounds it.

    A provider on a plan is told what is left, for a bound of its own. What is charged ``by_use`` asks for each of its requests.
    """
    if reservation is not NO_BUDGET and not by_use:
        left_usd = reservation.most_usd - reservation.used_usd
        request = msgspec.structs.replace(permitted.request, max_budget_usd=left_usd)
        permitted = msgspec.structs.replace(permitted, request=request)
    return Budgeted(permitted=permitted, reservation=reservation)


def with_model(budgeted: Budgeted, model: str) -> Budgeted:
    """The same for another model, after which no further one is tried."""
    return msgspec.structs.replace(budgeted, permitted=policy.with_model(budgeted.permitted, model))


def with_allowance(dispatch: Dispatch, allowance: Allowance) -> Dispatch:
    """The same, with ``allowance`` to be asked before each request."""
    return msgspec.structs.replace(dispatch, allowance=allowance)


def bounds_of(budgets: Budgets, request: Request, key: str | None) -> tuple[Bound, ...]:
    """Every budget a run is under, the request's own first. ``key`` is the key that would pay, ``None`` on a plan."""
    project = request.project
    own = Amounts(run_usd=request.max_budget_usd)
    of_project = (
        Amounts(day_usd=project.day_budget_usd, month_usd=project.month_budget_usd) if project else None
    )
    scoped: Iterable[tuple[Scope, str | None, Amounts | None]] = (
        ("all", None, own),
        ("all", None, budgets.all),
        ("key", key, _named(budgets.keys, key)),
        ("role", request.role, _named(budgets.roles, request.role)),
        ("client", request.client, _named(budgets.clients, request.client)),
        ("project", project.name if project else None, of_project),
    )
    return tuple(
        bound for scope, name, amounts in scoped if amounts is not None for bound in _of(scope, name, amounts)
    )


def _named(amounts: Mapping[str, Amounts], name: str | None) -> Amounts | None:
    return amounts.get(name) if name is not None else None


def _of(scope: Scope, name: str | None, amounts: Amounts) -> Iterator[Bound]:
    if amounts.run_usd is not None:
        yield Bound(amounts.run_usd, "run", scope, name)
    if amounts.day_usd is not None:
        yield Bound(amounts.day_usd, "day", scope, name)
    if amounts.month_usd is not None:
        yield Bound(amounts.month_usd, "month", scope, name)


def share(
    bounds: Sequence[Bound],
    used_usd: float,
    needs_usd: float | None,
    spent: Sequence[Spent],
    *,
    patient: bool = False,
    elsewhere_usd: float = 0.0,
) -> Cap | None:
    """What is reserved for a run that has used ``used_usd`` so far, of that ``elsewhere_usd`` not by the key it is on now.

    ``None`` when nothing is left for it.

    ``needs_usd`` is what its next step can cost at most, where that is known: it gets that, or what is left. Else it gets all of
    a budget of its own, and half of what is left of one that it shares, so that others can begin beside it; it may ask again.
    A ``patient`` one gets nothing as long as others hold a part of what it lacks.
    """
    least = tightest(bounds, spent, elsewhere_usd)
    most_usd = leaves(least, elsewhere_usd)
    free = most_usd - used_usd
    if free < refusals.LEAST_USD:
        return None
    if patient and needs_usd is not None and needs_usd > free and least.held_usd:
        return None
    if needs_usd is not None:
        part = min(needs_usd, free)
    elif least.bound.period == "run" or free < 2 * _CENT:
        part = free
    else:
        part = free / 2
    return Cap(used_usd + part, most_usd, least.bound, used_usd)


def tightest(bounds: Sequence[Bound], spent: Sequence[Spent], elsewhere_usd: float = 0.0) -> Spent:
    """The bound that leaves a run least; its ``usd`` is what it leaves. ``elsewhere_usd`` is as for ``share``."""
    own = [Spent(bound, bound.usd, 0.0) for bound in bounds if bound.period == "run"]
    shared = [msgspec.structs.replace(each, usd=each.bound.usd - each.usd) for each in spent]
    return min((*own, *shared), key=lambda each: leaves(each, elsewhere_usd))


def leaves(each: Spent, elsewhere_usd: float) -> float:
    """What a bound leaves a run in all, with what does not concern it: a key does not pay what another one served."""
    return each.usd + (elsewhere_usd if each.bound.scope == "key" else 0.0)


def used_up(bounds: Sequence[Bound], spent: Sequence[Spent], elsewhere_usd: float = 0.0) -> ErrorInfo:
    """Nothing is left for this run. ``elsewhere_usd`` is as for ``share``."""
    return refusals.used_up(tightest(bounds, spent, elsewhere_usd))


def at_most(*, text_bytes: int, pictures: int) -> int:
    """At most how many tokens a request sends. No tokenizer makes more tokens of a text than it has bytes."""
    return text_bytes + _FRAME_TOKENS + pictures * _PICTURE_TOKENS


def least_cost(sent_tokens: int, price: Price) -> float:
    """What sending so many tokens costs, in US dollars, without an answer."""
    return cost(TokenUsage(input_tokens=sent_tokens), price)


def worst_cost(sent_tokens: int, output_tokens: int, price: Price) -> float:
    """What a request can cost at most, in US dollars: all that is sent may also be written to the vendor's cache."""
    written = TokenUsage(cache_write_5m_tokens=sent_tokens, output_tokens=output_tokens)
    return max(
        cost(TokenUsage(input_tokens=sent_tokens, output_tokens=output_tokens), price), cost(written, price)
    )


def affordable(free_usd: float, sent_tokens: int, wanted: int, price: Price) -> int:
    """How many tokens an answer may have, at most ``wanted``, so that the request costs at most ``free_usd``.

    0 when less than a short answer is covered, as the question alone would be paid for then.
    """
    if worst_cost(sent_tokens, wanted, price) <= free_usd:
        return wanted
    base = worst_cost(sent_tokens, 0, price)
    rate = worst_cost(sent_tokens, 1_000_000, price) - base
    # One less: dividing must not give a token that multiplying takes over the bound.
    tokens = math.floor((free_usd - base) / rate * 1_000_000) - 1 if rate > 0 else 0
    return tokens if tokens >= LEAST_TOKENS else 0
