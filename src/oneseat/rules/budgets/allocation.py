"""Which budgets apply to a run, how much of them is reserved for it, and how long an answer they cover. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from oneseat.contract.budgets import (
    NO_BUDGET,
    Allowance,
    Amounts,
    Budget,
    Budgets,
    Price,
    Reservation,
    Scope,
    Spent,
)
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Request
from oneseat.contract.stations import Budgeted, Dispatch, Permitted
from oneseat.rules.policy import decide as policy

from . import messages as refusals
from .meter import cost

#: A shared budget is not split into shares smaller than a cent.
_CENT = 0.01
#: An answer truncated to fewer tokens is not worth the cost of its prompt.
LEAST_TOKENS = 16
#: Tokens of a request besides its text: roles, separators, names of fields.
_FRAME_TOKENS = 200
#: The most tokens of an image or a page, with any vendor.
_PICTURE_TOKENS = 5000


def reserve(permitted: Permitted, reservation: Reservation, *, by_use: bool = False) -> Budgeted:
    """The request with its reservation: ``NO_BUDGET`` if no budget applies.

    A provider on a plan gets the remaining amount as its own limit. One charged ``by_use`` asks before each of its requests.
    """
    if reservation is not NO_BUDGET and not by_use:
        left_usd = reservation.most_usd - reservation.used_usd
        request = msgspec.structs.replace(permitted.request, max_budget_usd=left_usd)
        permitted = msgspec.structs.replace(permitted, request=request)
    return Budgeted(permitted=permitted, reservation=reservation)


def with_model(budgeted: Budgeted, model: str) -> Budgeted:
    """The same for another model, without a further fallback model."""
    return msgspec.structs.replace(budgeted, permitted=policy.with_model(budgeted.permitted, model))


def with_allowance(dispatch: Dispatch, allowance: Allowance) -> Dispatch:
    """The same, with ``allowance`` to be asked before each request."""
    return msgspec.structs.replace(dispatch, allowance=allowance)


def bounds_of(budgets: Budgets, request: Request, key: str | None) -> tuple[Budget, ...]:
    """Every budget that applies to a run, the request's own first. ``key`` is the key that would pay, ``None`` on a plan."""
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
        ("client", request.client, request.client_budget),
        ("project", project.name if project else None, of_project),
    )
    return tuple(
        bound for scope, name, amounts in scoped if amounts is not None for bound in _of(scope, name, amounts)
    )


def _named(amounts: Mapping[str, Amounts], name: str | None) -> Amounts | None:
    return amounts.get(name) if name is not None else None


def _of(scope: Scope, name: str | None, amounts: Amounts) -> Iterator[Budget]:
    if amounts.run_usd is not None:
        yield Budget(amounts.run_usd, "run", scope, name)
    if amounts.day_usd is not None:
        yield Budget(amounts.day_usd, "day", scope, name)
    if amounts.month_usd is not None:
        yield Budget(amounts.month_usd, "month", scope, name)


def share(
    bounds: Sequence[Budget],
    used_usd: float,
    needs_usd: float | None,
    spent: Sequence[Spent],
    *,
    patient: bool = False,
    elsewhere_usd: float = 0.0,
) -> Reservation | None:
    """The reservation of a run that has used ``used_usd`` so far, ``elsewhere_usd`` of which was not paid by its current key.

    ``None`` when nothing is left for it.

    ``needs_usd`` is the maximum cost of its next step, if known: the run gets that, or what is left. Otherwise it gets all of its
    own budget, and half of what is left of a shared one, so that other runs can start too; it may ask again. A ``patient`` run
    gets nothing as long as other runs hold reservations that it needs.
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
    return Reservation(used_usd + part, most_usd, least.bound, used_usd)


def tightest(bounds: Sequence[Budget], spent: Sequence[Spent], elsewhere_usd: float = 0.0) -> Spent:
    """The bound that leaves a run the least; its ``usd`` is the rest. ``elsewhere_usd`` is as for ``share``."""
    own = [Spent(bound, bound.usd, 0.0) for bound in bounds if bound.period == "run"]
    shared = [msgspec.structs.replace(each, usd=each.bound.usd - each.usd) for each in spent]
    return min((*own, *shared), key=lambda each: leaves(each, elsewhere_usd))


def leaves(each: Spent, elsewhere_usd: float) -> float:
    """The total that a bound allows a run, plus what it does not cover: a key's budget ignores what another wallet paid."""
    return each.usd + (elsewhere_usd if each.bound.scope == "key" else 0.0)


def used_up(bounds: Sequence[Budget], spent: Sequence[Spent], elsewhere_usd: float = 0.0) -> ErrorInfo:
    """The error when nothing is left for this run. ``elsewhere_usd`` is as for ``share``."""
    return refusals.used_up(tightest(bounds, spent, elsewhere_usd))


def at_most(*, text_bytes: int, pictures: int) -> int:
    """The maximum number of tokens of a request. No tokenizer makes more tokens than a text has bytes."""
    return text_bytes + _FRAME_TOKENS + pictures * _PICTURE_TOKENS


def least_cost(sent_tokens: int, price: Price) -> float:
    """The cost of sending that many tokens, in US dollars, without an answer."""
    return cost(TokenUsage(input_tokens=sent_tokens), price)


def worst_cost(sent_tokens: int, output_tokens: int, price: Price) -> float:
    """The maximum cost of a request, in US dollars: everything sent may also be written to the vendor's cache."""
    written = TokenUsage(cache_write_5m_tokens=sent_tokens, output_tokens=output_tokens)
    return max(
        cost(TokenUsage(input_tokens=sent_tokens, output_tokens=output_tokens), price), cost(written, price)
    )


def affordable(free_usd: float, sent_tokens: int, wanted: int, price: Price) -> int:
    """How many output tokens, at most ``wanted``, a request may have to cost at most ``free_usd``.

    0 when not even a short answer is covered, because the prompt would be paid for in vain.
    """
    if worst_cost(sent_tokens, wanted, price) <= free_usd:
        return wanted
    base = worst_cost(sent_tokens, 0, price)
    rate = worst_cost(sent_tokens, 1_000_000, price) - base
    # Subtract one: rounding in the division must not allow a token too many.
    tokens = math.floor((free_usd - base) / rate * 1_000_000) - 1 if rate > 0 else 0
    return tokens if tokens >= LEAST_TOKENS else 0
