"""The price tables that come with oneseat, and what stands over them."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from oneseat.contract.budgets import DatedPrice, Price, Rates
from oneseat.stores.prices import FOLDER, PriceTable

FLASH = "gemini-3.8-flash"


@pytest.mark.parametrize(
    ("model", "rates"),
    [
        ("claude-sonnet-5", (2, 10, 0.2, 2.5, 4)),
        ("claude-haiku-4-5-20251001", (1, 5, 0.1, 1.25, 2)),
        ("claude-opus-4-8", (5, 25, 0.5, 6.25, 10)),
        ("claude-sonnet-4-5[1m]", (3, 15, 0.3, 3.75, 6)),
        ("claude-sonnet-4-20250514", (3, 15, 0.3, 3.75, 6)),
        ("gpt-6.1-sol", (2, 10, 0.1, 2.5, 2.5)),
        ("gpt-4o-2024-11-20", (2.5, 10, 1.25, 2.5, 2.5)),
        # An older release that kept its own price.
        ("gpt-4o-2024-05-13", (5, 15, 5, 5, 5)),
        ("gemini-2.5-pro", (1.25, 10, 0.125, 1.25, 1.25)),
        ("models/gemini-2.5-flash-001", (0.3, 2.5, 0.03, 0.3, 0.3)),
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
    "model",
    [
        "",
        "claude",
        "claude-sonnet-99",
        "claude-haiku-4-50",
        "sonnet",
        "claude-sonnet-5-x",
        "gpt",
        "gpt-99",
        "gpt-5-nan",
        "gemini",
        "gemini-2.5",
        "text-embedding-3-small",
        "gpt-image-1",
    ],
)
def test_a_name_that_is_only_similar_has_no_price(model: str) -> None:
    assert PriceTable().of(model) is None


def test_a_price_holds_on_its_days() -> None:
    table = PriceTable()
    on = {day: price.rates.input for day in DAYS if (price := table.of(FLASH, day)) is not None}
    assert on == {"2026-11-20": 0.75, "2026-12-31": 0.75, "2027-01-01": 1.5, "2030-06-01": 1.5}
    opus = table.of("claude-opus-4-6", "2026-03-12"), table.of("claude-opus-4-6", "2026-03-13")
    assert [len(price.tiers) for price in opus if price is not None] == [1, 0]
    assert table.of("claude-opus-4-6") == opus[1]


DAYS = ("2026-11-20", "2026-12-31", "2027-01-01", "2030-06-01")


def priced(usd: float, model: str = FLASH, **when: str) -> DatedPrice:
    rates = Rates(input=usd, output=usd, cache_read=usd, cache_write_5m=usd, cache_write_1h=usd)
    return DatedPrice(model=model, price=Price(rates=rates, table="over"), **when)


def on_days(*over: list[DatedPrice], model: str = FLASH) -> list[float | None]:
    table = PriceTable(*(lambda name, rows=rows: [row for row in rows if row.model == name] for rows in over))
    prices = [table.of(model, day) for day in DAYS]
    return [None if price is None else price.rates.input for price in prices]


def test_what_stands_over_the_tables_comes_first_on_its_days() -> None:
    assert on_days([priced(9)]) == [9, 9, 9, 9]
    assert on_days([priced(9, since="2026-12-31")]) == [0.75, 9, 9, 9]
    assert on_days([priced(9, since="2026-12-01", until="2026-12-31")]) == [0.75, 9, 1.5, 1.5]
    owner, pack = [priced(7, since="2027-01-01")], [priced(8), priced(9, since="2026-12-31")]
    assert on_days(owner, pack) == [8, 9, 7, 7]
    # A name with a date is found under the one without, as in the tables.
    assert on_days([priced(9)], model=f"{FLASH}-001") == [9, 9, 9, 9]
    assert on_days([priced(9, model="my-model", since="2027-01-01")], model="my-model") == [None, None, 9, 9]


def test_no_question_means_nothing_read() -> None:
    asked: list[str] = []

    def over(name: str) -> list[DatedPrice]:
        asked.append(name)
        return []

    table = PriceTable(over)
    assert asked == []
    table.of("claude-sonnet-5")
    table.of("claude-sonnet-5")
    assert asked == ["claude-sonnet-5"]


@pytest.mark.parametrize("vendor", ["anthropic", "openai", "google"])
def test_no_name_stands_for_two_models_and_no_rate_is_nothing(vendor: str) -> None:
    table = json.loads((FOLDER / f"{vendor}.json").read_text("utf-8"))
    names = Counter(name for model in table["models"] for name in model["names"])
    assert [name for name, count in names.items() if count > 1] == []
    assert len(names) > 20
    every = [price for model in table["models"] for price in model["prices"]]
    rates = [*(price["rates"] for price in every), *(tier[1] for price in every for tier in price["tiers"])]
    assert all(rate > 0 and len(five) == 5 for five in rates for rate in five)
