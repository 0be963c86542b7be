"""What models cost, and what may be spent: the owner's settings first, then what comes with oneseat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Protocol

import msgspec

from oneseat.contract.budgets import Amounts, Budget, Budgets, DatedPrice, Price, Rates, Scope, Tier
from oneseat.contract.policy_pack import Pack
from oneseat.installation import Installation
from oneseat.settings import CLIENTS, PROJECTS
from oneseat.settings.prices import PRICES
from oneseat.settings.roles import ROLES
from oneseat.stores.prices import PriceTable, bundled_names

if TYPE_CHECKING:
    from oneseat.contract.policy_catalogue import PackPrice, PriceTier

__all__ = ["budgets", "model_names", "price_table", "shared_bounds"]


def model_names(here: Installation) -> list[str]:
    """The full names of models with a price: the owner's own, then those of the bundled tables. Raises ``UsageError``."""
    return [*here.named(PRICES), *bundled_names()]


class Budgeted(Protocol):
    """What has budgets of its own, in US dollars."""

    @property
    def run_budget_usd(self) -> float | None:
        """For one run."""

    @property
    def day_budget_usd(self) -> float | None:
        """For the runs of a day."""

    @property
    def month_budget_usd(self) -> float | None:
        """For the runs of a month."""


def price_table(here: Installation) -> PriceTable:
    """The owner's own prices, over those of the policy pack in force, over the tables. All are read when a price is asked for.

    A question raises ``UsageError`` for settings or a pack that cannot be used.
    """

    def own() -> dict[str, DatedPrice]:
        return here.named(PRICES)

    @cache
    def pack() -> Pack:
        return here.policy_files.read().pack

    @cache
    def rows() -> tuple[PackPrice, ...]:
        from oneseat.contract.policy_catalogue import PackPrice  # noqa: PLC0415 - only who asks for a price needs it

        return msgspec.json.decode(pack().prices, type=tuple[PackPrice, ...])

    def of_owner(model: str) -> Sequence[DatedPrice]:
        return [own()[model]] if model in own() else ()

    def of_pack(model: str) -> Sequence[DatedPrice]:
        return [
            _pack_price(pack(), row, model)
            for row in rows()
            if row.status == "active" and (row.model_id == model or model in row.aliases)
        ]

    return PriceTable(of_owner, of_pack)


def _pack_price(pack: Pack, row: PackPrice, model: str) -> DatedPrice:
    below = PriceTable().of(row.model_id, row.effective_from)
    until = None
    if row.effective_to is not None:
        until = (date.fromisoformat(row.effective_to) - timedelta(days=1)).isoformat()
    price = Price(
        rates=_rates(row, below.rates if below is not None else None),
        tiers=tuple(Tier(tier.above_prompt_tokens, _rates(tier, None)) for tier in row.tiers),
        table=f"policy pack {pack.meta.pack_version}",
    )
    # What the tables know of earlier days is older than the pack, and not made wrong by it.
    since = row.effective_from or ("" if below is None else pack.meta.as_of)
    return DatedPrice(model=model, price=price, since=since, until=until)


def _rates(row: PackPrice | PriceTier, below: Rates | None) -> Rates:
    """The rates of a pack. What it does not know is as in the tables, or as dear as everything else."""
    given = row.input
    read = row.cache_read if row.cache_read is not None else (below.cache_read if below else given)
    short = (
        row.cache_write_5m if row.cache_write_5m is not None else (below.cache_write_5m if below else given)
    )
    long = (
        row.cache_write_1h if row.cache_write_1h is not None else (below.cache_write_1h if below else short)
    )
    return Rates(
        input=given, output=row.output, cache_read=read, cache_write_5m=short, cache_write_1h=max(short, long)
    )


def budgets(here: Installation) -> Budgets:
    """Every budget of the owner, those of projects aside, which come with their requests. Raises ``UsageError``."""
    settings, keys = here.settings, here.keys
    roles, clients = here.named(ROLES), here.named(CLIENTS)
    return Budgets(
        all=Amounts(day_usd=settings.budget_day_usd, month_usd=settings.budget_month_usd),
        keys=_amounts(keys),
        roles=_amounts(roles),
        clients=_amounts(clients),
        free_keys=frozenset(name for name, key in keys.items() if not key.charges),
        allow_unpriced=settings.budget_allow_unpriced,
    )


def shared_bounds(here: Installation) -> tuple[Budget, ...]:
    """Every budget of a day or a month that the owner has set. Raises ``UsageError``."""
    own = budgets(here)
    projects = {
        name: Amounts(day_usd=project.day_budget_usd, month_usd=project.month_budget_usd)
        for name, project in here.named(PROJECTS).items()
    }
    named: tuple[tuple[Scope, dict[str, Amounts]], ...] = (
        ("key", own.keys),
        ("role", own.roles),
        ("client", own.clients),
        ("project", projects),
    )
    every: list[tuple[Scope, str | None, Amounts]] = [("all", None, own.all)]
    every += [(scope, name, amounts) for scope, table in named for name, amounts in table.items()]
    return tuple(bound for scope, name, amounts in every for bound in _shared(scope, name, amounts))


def _shared(scope: Scope, name: str | None, amounts: Amounts) -> Iterator[Budget]:
    if amounts.day_usd is not None:
        yield Budget(amounts.day_usd, "day", scope, name)
    if amounts.month_usd is not None:
        yield Budget(amounts.month_usd, "month", scope, name)


def _amounts(named: Mapping[str, Budgeted]) -> dict[str, Amounts]:
    return {
        name: Amounts(
            run_usd=each.run_budget_usd, day_usd=each.day_budget_usd, month_usd=each.month_budget_usd
        )
        for name, each in named.items()
    }
