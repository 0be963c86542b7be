"""Money and turns that a run may use, and what tokens cost. List prices only: on a plan nothing is charged, yet a budget counts."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from .receipt import Wallet

#: Whose budget bounds a run: its own, what is left of the owner's day, or of its project's day.
BudgetSource = Literal["run", "day", "project_day"]


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
    """What a model costs. ``table`` names the price table and its version; ``tiers`` go up."""

    rates: Rates
    tiers: tuple[Tier, ...] = ()
    table: str


class Cap(msgspec.Struct, frozen=True):
    """The most that a run may cost at list price, in US dollars, and whose budget that is."""

    usd: float
    source: BudgetSource = "run"


class DayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs of a day may cost at list price, in US dollars; ``None`` is no limit."""

    all_usd: float | None = None
    project_usd: float | None = None


class DaySpent(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of this day have cost at list price, in US dollars, with what is reserved for those still going on."""

    all_usd: float
    project_usd: float
    reserved_usd: float


class Prices(Protocol):
    """A price table."""

    def of(self, model: str) -> Price | None:
        """The price of a model by its full name; ``None`` when it is not known, which is never the same as nothing."""


class Share(Protocol):
    """Decides what of a day a run may have, while no other process can decide about the same money."""

    def __call__(self, spent: DaySpent, /) -> Cap | None:
        """What is reserved for the run; ``None`` when nothing is left."""


class Spending(Protocol):
    """What the runs of a day have cost, over all processes."""

    async def reserve(
        self, run_id: str, project: str | None, wallet: Wallet, since: str, share: Share
    ) -> tuple[DaySpent, Cap | None]:
        """Reserve for a run what ``share`` gives it of the day that began at ``since`` (ISO 8601 UTC).

        Returns what the other runs have cost, and what was reserved. Raises ``UsageError`` when the ledger cannot be written.
        """
