"""Checks across settings. `oneseat config check` reports all conflicts, a run only those that prevent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from .errors import nearest_name
from .positions import Key
from .table import declared
from .tables import Contradiction

#: The effective values by dotted name, and the rows of each named table.
Values = Mapping[str, object]
Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Conflict(msgspec.Struct, frozen=True):
    """Two settings that contradict each other; ``key`` is where one of them is."""

    key: Key
    found: Contradiction


def find_conflicts(values: Values, tables: Tables) -> Iterator[Conflict]:
    """Every conflict between settings."""
    for check in _CHECKS:
        yield from check(values, tables)


#: From the shortest period to the longest.
_BUDGETS = ("run_budget_usd", "max_budget_usd", "day_budget_usd", "month_budget_usd")


def _budgets(values: Values, tables: Tables) -> Iterator[Conflict]:
    """Budgets larger than that of a longer period: they could never be reached."""
    day, month = values.get("budget.day_usd"), values.get("budget.month_usd")
    if isinstance(day, float) and isinstance(month, float) and day > month:
        why = f"`day_usd = {day:g}` is more than `month_usd = {month:g}` allows in all"
        yield Conflict(("budget", "day_usd"), Contradiction(why))
    for table, rows in tables.items():
        for name, row in rows.items():
            yield from (Conflict((table, name, short), found) for short, found in _too_large(row))


def budget_contradiction(row: Mapping[str, Any]) -> Contradiction | None:
    """The first contradiction between the budgets of one table, if any."""
    return next((found for _, found in _too_large(row)), None)


def _too_large(row: Mapping[str, Any]) -> Iterator[tuple[str, Contradiction]]:
    """Budgets that exceed the budget of the next longer period, by name."""
    set_here = [(key, row[key]) for key in _BUDGETS if key in row]
    for (short, low), (long, high) in pairwise(set_here):
        if low > high:
            yield short, Contradiction(f"`{short} = {low:g}` is more than `{long} = {high:g}` allows in all")


def _routes(values: Values, tables: Tables) -> Iterator[Conflict]:
    """Fallbacks and candidates that name an unknown seat or key."""
    seats, keys = declared()["seat.provider"][1].check.options, tuple(tables.get("keys", {}))
    fallback = values.get("fallback.to", ())
    for name in fallback if isinstance(fallback, tuple) else ():
        yield from _unknown(("fallback", "to"), name, (*seats, *keys), "seat or key")
    for role, row in tables.get("roles", {}).items():
        for wanted in row.get("candidates", ()):
            place = ("roles", role, "candidates")
            if wanted.key is not None:
                yield from _unknown(place, wanted.key, keys, "key")
            else:
                yield from _unknown(place, wanted.provider, seats, "seat")


def _unknown(place: Key, name: str, known: tuple[str, ...], what: str) -> Iterator[Conflict]:
    if name in known:
        return
    nearest = nearest_name(name, list(known)) if known else None
    if nearest is not None:
        hint = f'Write `"{nearest}"` instead'
    elif "key" in what:
        hint = f"Add the key: `oneseat key set {name} --provider anthropic`"
    else:
        seats = ", ".join(f'`"{seat}"`' for seat in known)
        hint = f"Write one of {seats} instead"
    yield Conflict(place, Contradiction(f"there is no {what} `{name}`", hint))


_CHECKS: tuple[Callable[[Values, Tables], Iterator[Conflict]], ...] = (_budgets, _routes)
