"""What models cost on this machine, and what may be spent: the owner's settings over what comes with oneseat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from oneseat.contract.budget import Amounts, Bound, Budgets, DatedPrice, Scope
from oneseat.settings import CLIENTS, KEYS, PRICES, PROJECTS, ROLES, Settings, read_named
from oneseat.stores.prices import PriceTable


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


def price_table(config_dir: Path) -> PriceTable:
    """The table for the settings in ``config_dir``, which are read when a price is asked for.

    A question raises ``UsageError`` for settings that cannot be used.
    """

    def own() -> Sequence[DatedPrice]:
        return tuple(read_named(PRICES, config_dir).values())

    return PriceTable(own)


def budgets_in(config_dir: Path, settings: Settings) -> Budgets:
    """Every budget of the owner, those of projects aside, which come with their requests. Raises ``UsageError``."""
    keys, roles = read_named(KEYS, config_dir), read_named(ROLES, config_dir)
    clients = read_named(CLIENTS, config_dir)
    return Budgets(
        all=Amounts(day_usd=settings.budget_day_usd, month_usd=settings.budget_month_usd),
        keys=_amounts(keys),
        roles=_amounts(roles),
        clients=_amounts(clients),
        free_keys=frozenset(name for name, key in keys.items() if not key.charges),
        allow_unpriced=settings.budget_allow_unpriced,
    )


def shared_bounds(config_dir: Path, settings: Settings) -> tuple[Bound, ...]:
    """Every budget of a day or a month that the owner has set. Raises ``UsageError``."""
    budgets = budgets_in(config_dir, settings)
    projects = {
        name: Amounts(day_usd=project.day_budget_usd, month_usd=project.month_budget_usd)
        for name, project in read_named(PROJECTS, config_dir).items()
    }
    named: tuple[tuple[Scope, dict[str, Amounts]], ...] = (
        ("key", budgets.keys),
        ("role", budgets.roles),
        ("client", budgets.clients),
        ("project", projects),
    )
    every: list[tuple[Scope, str | None, Amounts]] = [("all", None, budgets.all)]
    every += [(scope, name, amounts) for scope, table in named for name, amounts in table.items()]
    return tuple(bound for scope, name, amounts in every for bound in _shared(scope, name, amounts))


def _shared(scope: Scope, name: str | None, amounts: Amounts) -> Iterator[Bound]:
    if amounts.day_usd is not None:
        yield Bound(amounts.day_usd, "day", scope, name)
    if amounts.month_usd is not None:
        yield Bound(amounts.month_usd, "month", scope, name)


def _amounts(named: Mapping[str, Budgeted]) -> dict[str, Amounts]:
    return {
        name: Amounts(
            run_usd=each.run_budget_usd, day_usd=each.day_budget_usd, month_usd=each.month_budget_usd
        )
        for name, each in named.items()
    }
