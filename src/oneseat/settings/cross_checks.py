"""What settings say of each other: `oneseat config check` tells all of it, a run only what it cannot begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from .errors import nearest_name
from .positions import Key
from .table import declared
from .tables import Contradiction

#: The values in force by dotted name, and the rows of the named tables by the table's first word.
Values = Mapping[str, object]
Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Conflict(msgspec.Struct, frozen=True):
    """Two settings that do not go together, at the place of one of them."""

    key: Key
    found: Contradiction


def find_conflicts(values: Values, tables: Tables) -> Iterator[Conflict]:
    """Everything that does not go together."""
    for check in _CHECKS:
        yield from check(values, tables)


#: From the budget of the shortest time to that of the longest.
_BUDGETS = ("run_budget_usd", "max_budget_usd", "day_budget_usd", "month_budget_usd")


def _budgets(values: Values, tables: Tables) -> Iterator[Conflict]:
    """A budget that a shorter one already exceeds would never be reached, or stop the very first run."""
    day, month = values.get("budget.day_usd"), values.get("budget.month_usd")
    if isinstance(day, float) and isinstance(month, float) and day > month:
        why = f"`day_usd = {day:g}` is more than `month_usd = {month:g}` allows in all"
        yield Conflict(("budget", "day_usd"), Contradiction(why))
    for table, rows in tables.items():
        for name, row in rows.items():
            yield from (Conflict((table, name, short), found) for short, found in _too_large(row))


def budget_contradiction(row: Mapping[str, Any]) -> Contradiction | None:
    """What is wrong with the budgets of one table; ``None`` where nothing is."""
    return next((found for _, found in _too_large(row)), None)


def _too_large(row: Mapping[str, Any]) -> Iterator[tuple[str, Contradiction]]:
    """The budgets that a longer time's does not hold, by their names."""
    set_here = [(key, row[key]) for key in _BUDGETS if key in row]
    for (short, low), (long, high) in pairwise(set_here):
        if low > high:
            yield short, Contradiction(f"`{short} = {low:g}` is more than `{long} = {high:g}` allows in all")


def _routes(values: Values, tables: Tables) -> Iterator[Conflict]:
    """Whom the settings would have serve a request, and do not have."""
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
