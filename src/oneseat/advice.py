"""Advice on what the measured work costs, from the index of usage, the price table and what is known about plans."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from oneseat.assembly import find_paths
from oneseat.contract.budget import Price
from oneseat.contract.reports.advice import Advice
from oneseat.pricing import price_table
from oneseat.rules.advice import Span, advise
from oneseat.rules.usage import date_text
from oneseat.stores.plans import read_plans
from oneseat.stores.prices import PriceTable
from oneseat.usage import read_parts

#: The owner's own entries, in the configuration folder.
FILE_NAME = "plans.json"


def read_advice(first: int, last: int, env: Mapping[str, str] | None = None) -> Advice:
    """Advice for the days from ``first`` to ``last``, counted from 1970, both included, in this machine's time zone.

    Raises ``UsageError``: ``usage.bad_plans_file`` and those of ``read_usage``.
    """
    env = os.environ if env is None else env
    book = read_plans(plans_file(env))
    parts, not_read, zone = read_parts(env=env)
    table = price_table(find_paths(env).config_dir)
    return advise(parts, Span(first, last, zone), book, partial(_price, table), table.stamp(), not_read)


def _price(table: PriceTable, model: str, day: int | None = None) -> Price | None:
    return table.of(model, None if day is None else date_text(day))


def plans_file(env: Mapping[str, str]) -> Path:
    """The file with the owner's own entries, there or not."""
    return find_paths(env).config_dir / FILE_NAME
