"""What settings say of each other. None of it stops a run; `oneseat config check` tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec

from .named_tables import Contradiction
from .positions import Key

#: The values in force by dotted name, and the rows of the named tables by the table's first word.
Values = Mapping[str, object]
Tables = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Clash(msgspec.Struct, frozen=True):
    """Two settings that do not go together, at the place of one of them."""

    key: Key
    found: Contradiction


def clashes(values: Values, tables: Tables) -> Iterator[Clash]:
    """Everything that does not go together."""
    for check in _CHECKS:
        yield from check(values, tables)


#: From the budget of the shortest time to that of the longest.
_BUDGETS = ("run_budget_usd", "max_budget_usd", "day_budget_usd", "month_budget_usd")


def _budgets(_: Values, tables: Tables) -> Iterator[Clash]:
    """A budget that a shorter one already exceeds would never be reached, or stop the very first run."""
    for table, rows in tables.items():
        for name, row in rows.items():
            set_here = [(key, row[key]) for key in _BUDGETS if key in row]
            for (short, low), (long, high) in pairwise(set_here):
                if low > high:
                    why = f"`{short} = {low:g}` is more than `{long} = {high:g}` allows in all"
                    yield Clash((table, name, short), Contradiction(why))


_CHECKS: tuple[Callable[[Values, Tables], Iterator[Clash]], ...] = (_budgets,)
