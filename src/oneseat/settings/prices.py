"""``[prices."MODEL"]`` tables: what a model costs by the owner's own word, in place of any table's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from oneseat.contract.budgets import DatedPrice, Price, Rates

from .checks import Check
from .tables import Contradiction, NamedTable

_MOST_USD = 100_000
#: The source of an owner's price, on receipts and in reports.
OWN = "your oneseat.toml"


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_USD:
        raise ValueError(value)
    return float(value)


def _day(value: object) -> str:
    # A `datetime` is a `date` in Python, but a price starts on a day.
    if type(value) is not date:
        raise ValueError(value)
    return value.isoformat()


def _contradiction(_: str, table: Mapping[str, object]) -> Contradiction | None:
    missing = [name for name in ("input", "output") if name not in table]
    if not missing:
        return None
    return Contradiction(
        f"it has no `{missing[0]}`", f"State the price of a million tokens: `{missing[0]} = 2.50`"
    )


def _price(*, name: str, **table: float | str) -> DatedPrice:
    rates = {key: float(value) for key, value in table.items() if key != "from"}
    given = rates["input"]
    # Without a price of their own, cached tokens cost as much as other input: better too high than free.
    short = rates.get("cache_write_5m", given)
    full = {"cache_read": given, "cache_write_5m": short, "cache_write_1h": short, **rates}
    return DatedPrice(
        model=name, price=Price(rates=Rates(**full), table=OWN), since=str(table.get("from", ""))
    )


_RATE = Check(f"US dollars for a million tokens, from 0 to {_MOST_USD}", _rate)

PRICES = NamedTable(
    table="prices",
    noun="Price",
    make=_price,
    contradiction=_contradiction,
    names=re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,127}", re.ASCII),
    keys={
        "input": (_RATE, "List price of input"),
        "output": (_RATE, "List price of output, thinking included"),
        "cache_read": (
            _RATE,
            "List price of cache reads; default: the price of `input`",
        ),
        "cache_write_5m": (
            _RATE,
            "List price of five-minute cache writes; default: the price of `input`",
        ),
        "cache_write_1h": (_RATE, "List price of one-hour cache writes; default: the five-minute price"),
        "from": (
            Check("a day, as in `2026-12-01`, without quotes", _day),
            "First day this price applies; before it, the bundled price table applies",
        ),
    },
)
