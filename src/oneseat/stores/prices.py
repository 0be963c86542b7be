"""Prices of models: the bundled tables, overridden by a policy pack and by the owner's settings.

The tables are files of this package, so looking up a price needs no network.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from time import gmtime, strftime
from typing import TypeAlias

import msgspec

from oneseat.contract.budgets import DatedPrice, Price, Rates, Stamp, Tier
from oneseat.contract.providers import vendor_of_model

#: One file per vendor, written by `make lock`. A run reads only the file of its model's vendor.
FOLDER = Path(__file__).with_name("price_tables")
#: What does not change what a model costs: the size of the context, a date, the number of a release.
_CONTEXT = re.compile(r"\[1m\]$")
_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{2}(\d{2})?|\d{3}|latest)$", re.ASCII)

#: What a vendor charges for one web search, in US dollars. It is in no table of tokens; the official CLI counts the same.
_WEB_SEARCH_USD = {"anthropic": 0.01}

_Five: TypeAlias = tuple[float, float, float, float, float]


class _Priced(msgspec.Struct, frozen=True):
    since: str = msgspec.field(name="from")
    rates: _Five
    tiers: tuple[tuple[int, _Five], ...]


class _Model(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    prices: tuple[_Priced, ...]


class _Table(msgspec.Struct, frozen=True):
    table: str
    as_of: str
    source: str
    models: tuple[_Model, ...]


class PriceTable:
    """Implements ``Prices``. ``over`` are sources of a model's prices that override the tables, the first one first.

    Nothing is read before the first lookup, and then only the table of that model's vendor.
    """

    def __init__(self, *over: Callable[[str], Sequence[DatedPrice]]) -> None:
        self._over = over
        self._known: dict[str, tuple[tuple[str, Price | None], ...]] = {}

    def of(self, model: str, day: str | None = None) -> Price | None:
        """The price of a model by its full name, on a day. A merely similar name has no price."""
        history = self.history(model)
        if len(history) == 1:
            return history[0][1]
        at = bisect_right(history, day or strftime("%Y-%m-%d", gmtime()), key=lambda row: row[0])
        return history[at - 1][1]

    def history(self, model: str) -> tuple[tuple[str, Price | None], ...]:
        """Every price of a model with its first day, in order. The first one has an empty text: no beginning."""
        if model not in self._known:
            self._known[model] = self._history(model)
        return self._known[model]

    def stamp(self) -> Stamp:
        """The source of the tables, and their date."""
        table = _table("anthropic")
        return Stamp(table.table, table.source, table.as_of)

    def _history(self, model: str) -> tuple[tuple[str, Price | None], ...]:
        names, search = tuple(_names(model)), _WEB_SEARCH_USD.get(vendor_of_model(model))
        layers = [next(filter(None, map(rows, names)), ()) for rows in (*self._over, _listed)]
        days = sorted({"", *(day for layer in layers for row in layer for day in _changes(row))})
        found: list[tuple[str, Price | None]] = []
        for day in days:
            price = next((price for layer in layers if (price := _on(layer, day)) is not None), None)
            if price is not None and price.web_search is None:
                price = msgspec.structs.replace(price, web_search=search)
            if not found or found[-1][1] != price:
                found.append((day, price))
        return tuple(found)


def _names(model: str) -> Iterator[str]:
    """The names that a model may be listed under, its own name first."""
    plain = _CONTEXT.sub("", model.removeprefix("models/"))
    yield plain
    if _DATE.search(plain):
        yield _DATE.sub("", plain)


def _changes(row: DatedPrice) -> Iterator[str]:
    yield row.since
    if row.until is not None:
        yield (date.fromisoformat(row.until) + timedelta(days=1)).isoformat()


def _on(rows: Sequence[DatedPrice], day: str) -> Price | None:
    fitting = [row for row in rows if row.since <= day and (row.until is None or day <= row.until)]
    return max(fitting, key=lambda row: row.since).price if fitting else None


def _listed(name: str) -> Sequence[DatedPrice]:
    """What the table of its vendor holds of a model."""
    vendor = vendor_of_model(name)
    table, index = _table(vendor), _index(vendor)
    if name not in index:
        return ()
    return tuple(
        DatedPrice(
            model=name,
            since=priced.since,
            price=Price(
                rates=_rates(priced.rates),
                tiers=tuple(Tier(above, _rates(rates)) for above, rates in priced.tiers),
                table=table.table,
            ),
        )
        for priced in index[name].prices
    )


def _rates(five: _Five) -> Rates:
    given, out, read, short, long = five
    return Rates(input=given, output=out, cache_read=read, cache_write_5m=short, cache_write_1h=long)


def bundled_names() -> list[str]:
    """The full names of the models in the bundled tables, in the order of the tables."""
    return [name for vendor in sorted(path.stem for path in FOLDER.glob("*.json")) for name in _index(vendor)]


@cache
def _table(vendor: str) -> _Table:
    return msgspec.json.decode((FOLDER / f"{vendor}.json").read_bytes(), type=_Table)


@cache
def _index(vendor: str) -> dict[str, _Model]:
    return {name: model for model in _table(vendor).models for name in model.names}
