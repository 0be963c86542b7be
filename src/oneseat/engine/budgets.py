"""Reserves what a run may cost before anything is sent, extends the reservation when it is used up, releases the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from oneseat.contract.budgets import (
    FREE,
    NO_BUDGET,
    Budgets,
    Price,
    Prices,
    Reservation,
    Since,
    Spending,
    Spent,
)
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.receipt import Wallet
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate
from oneseat.contract.stations import Budgeted, Dispatch, Permitted, Refused
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.budgets import messages as refusals
from oneseat.rules.budgets import meter as budget
from oneseat.rules.budgets.meter import Meter

#: How often, and at what interval in seconds, a request checks whether other runs have released what it needs.
_CHECKS, _BETWEEN_CHECKS_S = 200, 0.1


class BudgetContext(NamedTuple):
    """The sources of prices and past spending. ``since`` returns the start of this day and this month."""

    prices: Prices
    spending: Spending
    budgets: Budgets
    since: Callable[[], Since]


class RunCosts(NamedTuple):
    """What a run has cost with earlier candidates, in US dollars; this candidate's key did not pay ``other_keys_usd`` of it."""

    run_id: str = ""
    before_usd: float = 0.0
    other_keys_usd: float = 0.0


class CandidateBudget:
    """The budgets that apply to a run while one candidate serves it.

    ``meter`` counts the usage; it is ``None`` before the first attempt, and when nothing has to be counted.
    """

    def __init__(
        self,
        context: BudgetContext,
        candidate: Candidate,
        wallet: Wallet,
        request: Request,
        run: RunCosts | None = None,
    ) -> None:
        self.meter: Meter | None = None
        self._context = context
        self._wallet = wallet
        self._run = run or RunCosts()
        self._by_use = candidate.paid_from != "plan"
        self._free = candidate.key is not None and candidate.key in context.budgets.free_keys
        self._bounds = bounds.bounds_of(context.budgets, request, candidate.key)
        self._reservation = NO_BUDGET

    async def reserve(self, permitted: Permitted) -> Budgeted | Refused:
        """Reserve from the budgets, or refuse if nothing is left. Call before the provider is started."""
        if self._bounds and not self._free:
            # A run charged by use reserves the maximum cost of each request separately.
            spent, reservation = await (self._when_available(0.0) if self._by_use else self._reserve(None))
            if reservation is None:
                return Refused(error=self._used_up(spent), policy=permitted.policy)
            self._reservation = reservation
        return bounds.reserve(permitted, self._reservation, by_use=self._by_use)

    async def check(self, dispatch: Dispatch) -> Dispatch | Refused:
        """Start counting an attempt, or refuse it when the price is unknown or the prompt costs more than is left.

        On a plan without any budget nothing is counted and no price is looked up.
        """
        bounded, max_turns = self._reservation is not NO_BUDGET, dispatch.request.max_turns
        if not bounded and not self._by_use and max_turns is None:
            return dispatch
        model = dispatch.capabilities.full_names.get(dispatch.model, dispatch.model)
        price = self._price(model) if bounded or self._by_use else None
        if bounded and price is None and self._context.budgets.allow_unpriced:
            self._reservation, bounded = NO_BUDGET, False
        if self.meter is None:
            self.meter = Meter(
                reservation=self._reservation,
                max_turns=max_turns,
                prices=self._price,
                price=price,
                by_use=self._by_use,
            )
        error = await self._stop_reason(self.meter, dispatch, model, price)
        if error is not None:
            return _refused(dispatch, error)
        if self._by_use and bounded and price is not None:
            return bounds.with_allowance(dispatch, _Allowance(self, price))
        return dispatch

    async def extend_reservation(self, needs_usd: float | None = None) -> bool:
        """Reserve more for a run that has used its reservation; returns whether it got any."""
        held = self._reservation
        if held is NO_BUDGET or self._by_use or (held.bound.period == "run" and held.usd >= held.bound.usd):
            return False
        _, reservation = await self._reserve(needs_usd)
        if reservation is None or reservation.usd <= held.usd:
            return False
        self._keep(reservation)
        return True

    async def shrink_reservation(self) -> None:
        """Reduce the reservation of a run charged by use to what it has cost: its next request reserves again."""
        if self._reservation is NO_BUDGET or not self._by_use or self._reservation.usd <= self._used_usd:
            return
        _, reservation = await self._reserve(0.0)
        if reservation is not None:
            self._keep(reservation)

    async def close_reservation(self, sent: Sequence[Request]) -> None:
        """Reduce the reservation of an interrupted run on a plan to what was counted plus the prompts ``sent``.

        Its whole reservation may be half of a day's budget: two interrupted runs would use up the budget.
        """
        held, price = self._reservation, self.meter.price if self.meter is not None else None
        if self._by_use or held is NO_BUDGET or price is None:
            return
        tokens = sum(map(budget.input_tokens, sent))
        usd = self._used_usd + bounds.least_cost(tokens, price)
        reservation = msgspec.structs.replace(held, usd=min(usd, held.usd))
        await self._context.spending.reserve(
            self._run.run_id, self._wallet, self._bounds, self._context.since(), lambda _: reservation
        )

    async def left_usd(self) -> float | None:
        """What the budgets would leave the run, in US dollars; ``None`` if it has none. Reserves nothing."""
        if not self._bounds:
            return None
        _, before_usd, other_keys_usd = self._run
        least = bounds.tightest(self._bounds, await self._spent(), other_keys_usd)
        return bounds.leaves(least, other_keys_usd) - before_usd

    async def used_up(self) -> ErrorInfo | None:
        """The refusal that ``reserve`` would return now; ``None`` if something is left. Reserves nothing."""
        if not self._bounds or self._free:
            return None
        spent = await self._spent()
        return self._used_up(spent) if bounds.share(self._bounds, 0.0, None, spent) is None else None

    async def cover(self, *, sent_tokens: int, output_tokens: int, price: Price) -> int:
        """Reserve the maximum cost of a request charged by use; returns how many tokens its answer may have."""
        used_usd = self._used_usd
        needs_usd = bounds.worst_cost(sent_tokens, output_tokens, price)
        spent, reservation = await self._when_available(needs_usd)
        free_usd = reservation.usd - used_usd if reservation is not None else 0.0
        tokens = (
            bounds.affordable(free_usd, sent_tokens, output_tokens, price) if reservation is not None else 0
        )
        if reservation is None or not tokens:
            raise OneseatError(self._not_covered(sent_tokens, reservation, spent, price))
        self._keep(reservation)
        if self.meter is not None:
            self.meter.cover(free_usd, tokens, output_tokens)
        return tokens

    def _not_covered(
        self, sent_tokens: int, reservation: Reservation | None, spent: tuple[Spent, ...], price: Price
    ) -> ErrorInfo:
        if self.meter is not None and self.meter.committed_usd:
            # The run has received answers, so it keeps what it reserved for them.
            return refusals.reached(self._reservation, self.meter.committed_usd, at_the_end=False)
        if reservation is None:
            return self._used_up(spent)
        usd = bounds.worst_cost(sent_tokens, bounds.LEAST_TOKENS, price)
        return refusals.too_large(sent_tokens, usd, reservation, at_most=True)

    async def _stop_reason(
        self, meter: Meter, dispatch: Dispatch, model: str, price: Price | None
    ) -> ErrorInfo | None:
        """Why this attempt must not be sent; ``None`` when it may."""
        if self._reservation is not NO_BUDGET:
            if price is None:
                return refusals.unknown_price(model)
            too_large = await (
                self._longest(dispatch, price) if self._by_use else self._prompt(dispatch, price)
            )
            if too_large is not None:
                return too_large
        reached = meter.may_send()
        if reached is not None and reached.code == "budget.reached" and await self.extend_reservation():
            return None
        return reached

    async def _prompt(self, dispatch: Dispatch, price: Price) -> ErrorInfo | None:
        """The error if the prompt alone costs more than is left, on a plan."""
        tokens = budget.input_tokens(dispatch.request)
        usd = bounds.least_cost(tokens, price)
        if usd > self._reservation.usd - self._used_usd:
            await self.extend_reservation(usd)
        if usd <= self._reservation.usd - self._used_usd:
            return None
        return refusals.too_large(tokens, usd, self._reservation, at_most=False)

    async def _longest(self, dispatch: Dispatch, price: Price) -> ErrorInfo | None:
        """The error if the prompt with the shortest answer can cost more than is left, when charged by use."""
        text_bytes, pictures = _size(dispatch)
        tokens = bounds.at_most(text_bytes=text_bytes, pictures=pictures)
        usd = bounds.worst_cost(tokens, bounds.LEAST_TOKENS, price)
        if usd <= self._reservation.most_usd - self._used_usd:
            return None
        return refusals.too_large(tokens, usd, self._reservation, at_most=True)

    async def _reserve(
        self, needs_usd: float | None, *, patient: bool = False
    ) -> tuple[tuple[Spent, ...], Reservation | None]:
        run_id, _, other_keys_usd = self._run
        share = partial(
            bounds.share,
            self._bounds,
            self._used_usd,
            needs_usd,
            patient=patient,
            elsewhere_usd=other_keys_usd,
        )
        context = self._context
        return await context.spending.reserve(run_id, self._wallet, self._bounds, context.since(), share)

    async def _when_available(self, needs_usd: float) -> tuple[tuple[Spent, ...], Reservation | None]:
        """Reserve what a request needs, or what is left after waiting for other runs to release their reservations."""
        for _ in range(_CHECKS):
            spent, reservation = await self._reserve(needs_usd, patient=True)
            least = bounds.tightest(self._bounds, spent, self._run.other_keys_usd)
            if reservation is not None or not least.held_usd:
                return spent, reservation
            await asyncio.sleep(_BETWEEN_CHECKS_S)
        return await self._reserve(needs_usd)

    async def _spent(self) -> tuple[Spent, ...]:
        """What all other runs have cost under each bound."""
        context = self._context
        spent, _ = await context.spending.reserve(
            self._run.run_id, self._wallet, self._bounds, context.since(), lambda _: None
        )
        return spent

    def _keep(self, reservation: Reservation) -> None:
        self._reservation = reservation
        if self.meter is not None:
            self.meter.reservation = reservation

    @property
    def _used_usd(self) -> float:
        """What the run has cost so far with all candidates, including the maximum cost of the pending request."""
        return self._run.before_usd + (self.meter.committed_usd if self.meter is not None else 0.0)

    def _used_up(self, spent: tuple[Spent, ...]) -> ErrorInfo:
        return bounds.used_up(self._bounds, spent, self._run.other_keys_usd)

    def _price(self, model: str) -> Price | None:
        return FREE if self._free else self._context.prices.of(model)


class _Allowance:
    """Implements ``Allowance``: a provider that is charged by use calls it before each request."""

    def __init__(self, budget_of_run: CandidateBudget, price: Price) -> None:
        self._budget = budget_of_run
        self._price = price

    async def __call__(self, *, text_bytes: int, pictures: int, output_tokens: int) -> int:
        """Reserve the maximum cost of a request; returns how many tokens its answer may have."""
        sent = bounds.at_most(text_bytes=text_bytes, pictures=pictures)
        return await self._budget.cover(sent_tokens=sent, output_tokens=output_tokens, price=self._price)


def _refused(dispatch: Dispatch, error: ErrorInfo) -> Refused:
    cleared = dispatch.cleared
    return Refused(
        error=error, policy=cleared.permitted.policy, wallet=cleared.wallet, evidence=cleared.evidence
    )


def _size(dispatch: Dispatch) -> tuple[int, int]:
    """The minimum bytes of text in a request, and the number of images and documents."""
    request = dispatch.request
    text_bytes, pictures = budget.sizes(request)
    text_bytes += len((dispatch.background or "").encode("utf-8", "surrogatepass"))
    return text_bytes + (len(json.dumps(request.schema)) if request.schema is not None else 0), pictures
