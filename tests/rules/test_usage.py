"""Adding up: periods, money that is known and money that is not, and blocks of five hours."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.rules.usage.sums import (
    FIVE_HOURS_MS,
    Block,
    Filter,
    Part,
    blocks,
    date_text,
    grouped,
    month_of,
    total,
    week_of,
)

EPOCH = date(1970, 1, 1)
HOUR = 3_600_000
dates = st.dates(date(1900, 1, 1), date(2200, 1, 1))


def part(
    wallet: str = "plan",
    model: str = "sonnet",
    listed: float | None = 1.0,
    charged: float | None = 0.0,
    day: int | None = 1,
) -> Part:
    """Two answers of our own run, or of a transcript where the wallet is unknown."""
    source = "transcript" if wallet == "unknown" else "run"
    return Part(
        (day, source, wallet, "/home/me/shop", model, ""), 2, (1, 10, 100, 1000, 10_000), listed, charged
    )


@given(dates)
def test_days_weeks_and_months_are_those_of_the_calendar(day: date) -> None:
    number = (day - EPOCH).days
    assert date_text(number) == day.isoformat()
    assert date_text(week_of(number) or 0) == (day - timedelta(days=day.weekday())).isoformat()
    assert date_text(month_of(number) or 0) == day.replace(day=1).isoformat()
    assert (week_of(None), month_of(None)) == (None, None)


def test_what_the_plan_saved_is_the_list_price_of_runs_known_to_be_on_it() -> None:
    paid = part("api_key", charged=0.9)
    found = total(
        grouped([part(), part(), paid, part("unknown", charged=None)], lambda one: one.wallet).values()
    )
    assert (found.listed, found.charged, found.saved) == (4.0, 0.9, 2.0)
    assert (found.answers, found.settled, found.at_least) == (8, 6, True)
    assert found.tokens == [4, 40, 400, 4000, 40_000]


def test_money_that_is_not_known_is_none_and_listed() -> None:
    found = total(grouped([part(model="nova", listed=None, charged=None)], lambda _: None).values())
    assert (found.listed, found.charged, found.saved) == (None, None, None)
    assert found.unpriced == {"nova": 11_111}
    assert total([]).listed is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["plan", "api_key", "unknown"]), st.sampled_from("abc"), st.booleans())
    )
)
def test_groups_add_up_to_the_whole(drawn: list[tuple[str, str, bool]]) -> None:
    parts = [part(wallet, model, listed=1.0 if priced else None) for wallet, model, priced in drawn]
    by_model = total(grouped(parts, lambda one: one.model).values())
    whole = grouped(parts, lambda _: 0).get(0)
    if whole is not None:
        names = ("answers", "tokens", "listed", "charged", "saved", "settled", "unpriced", "at_least")
        assert [getattr(by_model, name) for name in names] == [getattr(whole, name) for name in names]


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Filter(), True),
        (Filter(since=1, until=1), True),
        (Filter(since=2), False),
        (Filter(until=0), False),
        (Filter(project="me/shop"), True),
        (Filter(project="-shop"), True),
        (Filter(project="other"), False),
        (Filter(model="onn"), True),
        (Filter(model="opus"), False),
        (Filter(wallet="plan"), True),
        (Filter(wallet="api_key"), False),
    ],
)
def test_a_filter_takes_what_it_names(wanted: Filter, takes: bool) -> None:
    assert wanted.takes(part(), {"/home/me/shop": {"-home-me-shop"}}) is takes


def test_simulated_runs_are_no_use_of_anything_unless_asked_for() -> None:
    assert not Filter().takes(part("simulator"), {})
    assert Filter(wallet="simulator").takes(part("simulator"), {})


def test_a_part_without_a_date_is_of_no_day() -> None:
    assert Filter().takes(part(day=None), {})
    assert not Filter(since=0).takes(part(day=None), {})


def ends(moments: list[float], resets: list[float] = ()) -> list[tuple[float, float, bool, int]]:  # type: ignore[assignment]
    """Blocks in hours: begin, end, whether the vendor named the end, and how many answers are in it."""
    found = blocks([(round(at * HOUR), part()) for at in moments], [round(at * HOUR) for at in resets])
    return [(block.begin / HOUR, block.end / HOUR, block.reported, block.sum.answers // 2) for block in found]


@pytest.mark.parametrize(
    ("moments", "resets", "expected"),
    [
        ([], [], []),
        ([1.5, 5.9, 6.0, 12.2], [], [(1, 6, False, 2), (6, 11, False, 1), (12, 17, False, 1)]),
        ([1.5, 6.2], [6.5], [(1.5, 6.5, True, 2)]),
        ([1.4, 1.6], [6.5], [(1, 1.5, False, 1), (1.5, 6.5, True, 1)]),
        ([1.5, 6.5], [6.5, 11.75], [(1.5, 6.5, True, 1), (6.5, 6.75, False, 1)]),
        ([20.0], [6.5], [(20, 25, False, 1)]),
    ],
)
def test_a_block_is_the_window_the_vendor_named_or_a_guess(
    moments: list[float], resets: list[float], expected: list[tuple[float, float, bool, int]]
) -> None:
    assert ends(moments, resets) == expected


@given(st.lists(st.integers(0, 10**9), max_size=30), st.lists(st.integers(0, 10**9), max_size=5))
def test_every_answer_is_in_one_block_and_blocks_do_not_overlap(
    moments: list[int], resets: list[int]
) -> None:
    found: list[Block] = blocks([(at, part()) for at in moments], resets)
    assert sum(block.sum.answers for block in found) == 2 * len(moments)
    assert all(block.end - block.begin <= FIVE_HOURS_MS for block in found)
    assert all(one.end <= other.begin for one, other in pairwise(found))
