"""Money and turns that a run may use, and what tokens cost. List prices only: on a plan nothing is charged, yet a budget counts."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import msgspec

from .receipt import Wallet

#: What a budget is for: all runs, or those with one key, of one role, of one project, of one client.
Scope = Literal["all", "key", "role", "project", "client"]
#: Over what it adds up: one run, the runs of a day, or of a month, both of this machine's own calendar.
Period = Literal["run", "day", "month"]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """List prices in US dollars per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float


class Tier(msgspec.Struct, frozen=True):
    """The rates of a whole request that sends more than ``above`` input tokens, cached ones included."""

    above: int
    rates: Rates


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs. ``table`` names the price table and its version; ``tiers`` go up.

    ``web_search`` is the price of one web search by the vendor in US dollars; ``None`` is not known.
    """

    rates: Rates
    tiers: tuple[Tier, ...] = ()
    table: str
    web_search: float | None = None


class Budget(msgspec.Struct, frozen=True):
    """A budget: the most that may be spent, in US dollars. ``name`` is that of the key, role, project or client."""

    usd: float
    period: Period = "run"
    scope: Scope = "all"
    name: str | None = None


#: What an endpoint takes that its owner has declared free.
FREE = Price(
    rates=Rates(input=0.0, output=0.0, cache_read=0.0, cache_write_5m=0.0, cache_write_1h=0.0),
    table="your oneseat.toml",
)


class Stamp(NamedTuple):
    """Where a number is from: its name, the address of its source as text, and the day on which it was true (ISO 8601)."""

    name: str
    source: str
    as_of: str


class DatedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price of a model that holds from the day ``since`` on (ISO 8601), and no longer than the day ``until``, included.

    Without ``since`` it has always held, without ``until`` it holds until a later one takes its place.
    """

    model: str
    price: Price
    since: str = ""
    until: str | None = None


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings allow one key, role or client, or all runs, in US dollars; ``None`` is no bound."""

    run_usd: float | None = None
    day_usd: float | None = None
    month_usd: float | None = None


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """Every budget of the owner's settings, those of projects aside, which a request brings with it.

    ``free_keys`` are the keys whose endpoints cost nothing. ``allow_unpriced`` lets a model without a known price run under a
    budget, which cannot hold it then.
    """

    all: Amounts = Amounts()
    keys: dict[str, Amounts] = {}
    roles: dict[str, Amounts] = {}
    clients: dict[str, Amounts] = {}
    free_keys: frozenset[str] = frozenset()
    allow_unpriced: bool = False


class Since(msgspec.Struct, frozen=True):
    """When this day and this month began where this machine is, and when this day ends, ISO 8601 UTC."""

    day: str
    month: str
    tomorrow: str = "9999"


class Spent(msgspec.Struct, frozen=True):
    """What other runs have cost in the period of a bound, in US dollars, with ``held_usd`` that those going on may still cost.

    ``misdated_usd`` of it are of runs whose dates are not in the period, as the clock was wrong then or is now; ``misdated`` is
    one of these dates, ISO 8601 UTC.
    """

    bound: Budget
    usd: float
    held_usd: float
    misdated_usd: float = 0.0
    misdated: str | None = None


class Reservation(msgspec.Struct, frozen=True):
    """What is reserved for a run in all, in US dollars, with ``used_usd`` that it has spent of that.

    ``most_usd`` is what it could have at most, as things stood; ``bound`` is the budget that sets that.
    """

    usd: float
    most_usd: float
    bound: Budget
    used_usd: float = 0.0


#: The reservation of a run that no budget bounds.
NO_BUDGET = Reservation(math.inf, math.inf, Budget(math.inf))


class Prices(Protocol):
    """A price table."""

    def of(self, model: str, day: str | None = None) -> Price | None:
        """The price of a model by its full name, on a day (ISO 8601, by default today).

        ``None`` when it is not known, which is never the same as nothing.
        """


class Share(Protocol):
    """Decides what a run may have, while no other process can decide about the same money."""

    def __call__(self, spent: tuple[Spent, ...], /) -> Reservation | None:
        """What is reserved for the run; ``None`` when nothing is left."""


class Spending(Protocol):
    """What runs have cost, over all processes."""

    async def reserve(
        self, run_id: str, wallet: Wallet, bounds: tuple[Budget, ...], since: Since, share: Share
    ) -> tuple[tuple[Spent, ...], Reservation | None]:
        """Reserve for a run what ``share`` gives it, in place of what was reserved for it before.

        Returns what the other runs have cost under each of ``bounds``, and what was reserved. Raises ``UsageError`` when the
        ledger cannot be written.
        """


class Allowance(Protocol):
    """Asked before each request of a run that is paid by use: no request is sent that its budget may not cover."""

    async def __call__(self, *, text_bytes: int, pictures: int, output_tokens: int) -> int:
        """Reserve what a request can cost at most, and return how many tokens its answer may have.

        ``text_bytes`` is all that is sent as text (UTF-8: instructions, messages, tools, schema), ``pictures`` the number of
        images and pages, ``output_tokens`` what would be asked for without a budget, which is never exceeded. Raises
        ``OneseatError`` ``budget.*`` when not even a short answer is covered.
        """
