"""The price table that comes with oneseat. It is a file of this package: looking a price up never leaves this machine."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

from oneseat.contract.budget import Price, Rates, Tier
from oneseat.contract.plans import Stamp

#: Written by `make lock`.
_FILE = Path(__file__).with_name("prices.json")
#: A date, or the size of the context, does not change what a model costs.
_SUFFIX = re.compile(r"(-\d{8}|-latest)?(\[1m\])?$", re.ASCII)


class _Model(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    rates: Rates
    tiers: tuple[Tier, ...]


class _Table(msgspec.Struct, frozen=True):
    table: str
    as_of: str
    source: str
    models: tuple[_Model, ...]


class PriceTable:
    """Implements ``Prices``. The file is read at the first question."""

    def of(self, model: str) -> Price | None:
        """The price of a model by its full name. A name that is only similar is not known."""
        return _prices().get(_SUFFIX.sub("", model, count=1))

    def stamp(self) -> Stamp:
        """Where the prices are from, and when they were taken from there."""
        table = _table()
        return Stamp(table.table, table.source, table.as_of)


@cache
def _table() -> _Table:
    return msgspec.json.decode(_FILE.read_bytes(), type=_Table)


@cache
def _prices() -> dict[str, Price]:
    table = _table()
    return {
        name: Price(rates=model.rates, tiers=model.tiers, table=table.table)
        for model in table.models
        for name in model.names
    }
