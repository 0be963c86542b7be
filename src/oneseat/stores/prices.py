"""The price table that comes with oneseat. It is a file of this package: looking a price up never leaves this machine."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

from oneseat.contract.budget import Price, Rates, Tier

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
    models: tuple[_Model, ...]


class PriceTable:
    """Implements ``Prices``. The file is read at the first question."""

    def of(self, model: str) -> Price | None:
        """The price of a model by its full name. A name that is only similar is not known."""
        return _prices().get(_SUFFIX.sub("", model, count=1))


@cache
def _prices() -> dict[str, Price]:
    table = msgspec.json.decode(_FILE.read_bytes(), type=_Table)
    return {
        name: Price(rates=model.rates, tiers=model.tiers, table=table.table)
        for model in table.models
        for name in model.names
    }
