"""The price table that comes with oneseat."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from oneseat.stores import prices
from oneseat.stores.prices import PriceTable


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("claude-sonnet-5", (2, 10, 0.2, 2.5, 4)),
        ("claude-haiku-4-5-20251001", (1, 5, 0.1, 1.25, 2)),
        ("claude-opus-4-8", (5, 25, 0.5, 6.25, 10)),
        ("claude-sonnet-4-5[1m]", (3, 15, 0.3, 3.75, 6)),
        ("claude-sonnet-4-20250514", (3, 15, 0.3, 3.75, 6)),
    ],
)
def test_a_model_has_its_price_whatever_its_date(model: str, rates: tuple[float, ...]) -> None:
    price = PriceTable().of(model)
    assert price is not None
    found = price.rates
    assert (
        *(found.input, found.output, found.cache_read),
        *(found.cache_write_5m, found.cache_write_1h),
    ) == rates
    assert price.table.startswith("genai-prices ")


def test_a_long_context_has_its_own_price() -> None:
    price = PriceTable().of("claude-sonnet-4-5")
    assert price is not None
    assert [(tier.above, tier.rates.input) for tier in price.tiers] == [(200_000, 6.0)]


@pytest.mark.parametrize(
    "model", ["", "claude", "claude-sonnet-99", "claude-haiku-4-50", "sonnet", "gpt-5", "claude-sonnet-5-x"]
)
def test_a_name_that_is_only_similar_has_no_price(model: str) -> None:
    assert PriceTable().of(model) is None


def test_no_name_stands_for_two_models_and_no_rate_is_nothing() -> None:
    table = json.loads(prices._FILE.read_text("utf-8"))
    names = Counter(name for model in table["models"] for name in model["names"])
    assert [name for name, count in names.items() if count > 1] == []
    every = [model["rates"] for model in table["models"]]
    every += [tier["rates"] for model in table["models"] for tier in model["tiers"]]
    assert all(rate > 0 for rates in every for rate in rates.values())
