"""What the measured work costs by key and beside each plan, from the index of usage, the price table and plan data."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from oneseat.contract.budgets import Price
from oneseat.contract.reports.advice import Advice
from oneseat.installation import Installation
from oneseat.rules.usage.advice import Span, advise
from oneseat.rules.usage.sums import date_text
from oneseat.stores.plans import read_plans
from oneseat.stores.prices import PriceTable

from .prices import price_table
from .usage import read_parts

__all__ = ["FILE_NAME", "plans_file", "read_advice"]

#: The owner's own entries, in the configuration folder.
FILE_NAME = "plans.json"


def read_advice(here: Installation, first: int, last: int) -> Advice:
    """Advice for the days from ``first`` to ``last``, counted from 1970, both included, in this machine's time zone.

    Raises ``UsageError``: ``usage.bad_plans_file`` and those of ``read_usage``.
    """
    book = read_plans(plans_file(here))
    parts, not_read, zone = read_parts(here)
    table = price_table(here)
    return advise(parts, Span(first, last, zone), book, partial(_price, table), table.stamp(), not_read)


def _price(table: PriceTable, model: str, day: int | None = None) -> Price | None:
    return table.of(model, None if day is None else date_text(day))


def plans_file(here: Installation) -> Path:
    """The file with the owner's own entries, there or not."""
    return here.paths.config_dir / FILE_NAME
