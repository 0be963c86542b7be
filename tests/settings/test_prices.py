"""The ``[prices."MODEL"]`` tables: what a model costs by the owner's own word."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.app.prices import price_table
from oneseat.contract.budgets import DatedPrice, Price, Rates
from oneseat.contract.errors import UsageError
from oneseat.installation import Installation
from oneseat.settings import FILE_NAME, PRICES, load, read_named
from oneseat.stores.prices import PriceTable

WHOLE = """
[prices."vendor/model-1.5:free"]
input = 0
output = 0
[prices."claude-sonnet-5"]
input = 1
output = 4.5
cache_read = 0.1
cache_write_5m = 1.25
from = 2026-12-01
"""


def table_of(home: Path, text: str | None = None) -> PriceTable:
    """The prices of the home ``home``, with this settings file."""
    (home / "config").mkdir(exist_ok=True)
    if text is not None:
        written(home / "config", text)
    return price_table(Installation({"ONESEAT_HOME": str(home)}))


def written(folder: Path, text: str) -> Path:
    (folder / FILE_NAME).write_text(text, "utf-8")
    return folder


def rates(*five: float) -> Rates:
    given, out, read, short, long = five
    return Rates(input=given, output=out, cache_read=read, cache_write_5m=short, cache_write_1h=long)


def test_what_is_left_out_costs_as_much_as_the_rest(tmp_path: Path) -> None:
    assert read_named(PRICES, written(tmp_path, WHOLE)) == {
        "vendor/model-1.5:free": DatedPrice(
            model="vendor/model-1.5:free", price=Price(rates=rates(0, 0, 0, 0, 0), table="your oneseat.toml")
        ),
        "claude-sonnet-5": DatedPrice(
            model="claude-sonnet-5",
            price=Price(rates=rates(1, 4.5, 0.1, 1.25, 1.25), table="your oneseat.toml"),
            since="2026-12-01",
        ),
    }


def test_the_owners_price_comes_before_the_tables_from_its_day_on(tmp_path: Path) -> None:
    table = table_of(tmp_path, WHOLE)
    prices = [table.of("claude-sonnet-5", day) for day in ("2026-11-30", "2026-12-01")]
    assert [price.rates.input for price in prices if price is not None] == [2, 1]
    assert [price.table.partition(" ")[0] for price in prices if price is not None] == [
        "policy",
        "your",
    ]
    free = table.of("vendor/model-1.5:free")
    assert free is not None
    assert free.rates.output == 0
    assert table.of("vendor/model-1.5") is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[prices."m"]\ninput = 1\n', "it has no `output`"),
        ('[prices."m"]\noutput = 1\n', "it has no `input`"),
        ('[prices."m"]\ninput = -1\noutput = 1\n', "`prices.m.input = -1`"),
        ('[prices."m"]\ninput = nan\noutput = 1\n', "`prices.m.input = nan`"),
        ('[prices."m"]\ninput = true\noutput = 1\n', "`prices.m.input = true`"),
        ('[prices."m"]\ninput = 1\noutput = 1\nfrom = "2026-12-01"\n', "`prices.m.from = "),
        ('[prices."m"]\ninput = 1\noutput = 1\nfrom = 2026-12-01T00:00:00Z\n', "`prices.m.from = "),
        ('[prices."m"]\ninput = 1\noutput = 1\ncache_reed = 1\n', "`prices.m.cache_reed`"),
        ('[prices."m m"]\ninput = 1\noutput = 1\n', "`prices.m m.input`"),
    ],
)
def test_what_is_no_price_is_refused_by_name(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        table_of(tmp_path, text).of("m")
    assert named in caught.value.info.message


def test_the_pack_comes_between_the_owner_and_the_tables(tmp_path: Path) -> None:
    table = table_of(tmp_path)
    # Known to the pack alone; what it does not say of the cache costs as much as everything else.
    newest = table.of("gpt-6.2-sol")
    assert newest is not None
    assert newest.table.startswith("policy pack ")
    assert (newest.rates.output, newest.rates.cache_read, newest.rates.cache_write_1h) == (10, 2, 2)
    assert [(tier.above, tier.rates.input) for tier in newest.tiers] == [(272_000, 4)]
    # Dearer to read from its cache until a day in October.
    reads = [table.of("claude-sonnet-5-5", day) for day in ("2026-10-06", "2026-10-07")]
    assert [price.rates.cache_read for price in reads if price is not None] == [0.2, 0.1]
    # What the tables know of days before the pack stays.
    old = [table.of("claude-opus-4-6", day) for day in ("2026-03-12", "2026-03-13", "2026-12-01")]
    assert [len(price.tiers) for price in old if price is not None] == [1, 0, 0]
    assert table.of("gemini-3.8-flash", "2026-12-31") != table.of("gemini-3.8-flash", "2027-01-01")
    own = table_of(tmp_path, '[prices."gpt-6.2-sol"]\ninput = 1\noutput = 1\n').of("gpt-6.2-sol")
    assert own is not None
    assert own.table == "your oneseat.toml"


def test_a_project_cannot_make_its_runs_cheap(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    with pytest.raises(UsageError) as caught:
        load({}, written(tmp_path, WHOLE), tmp_path / "config")
    assert caught.value.info.code == "usage.setting_not_allowed"
