"""The arithmetic of advice: break-even, mixes, caching, other models, and what is said when too little is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.cli.views.advice import advice_text
from oneseat.contract.budgets import Price, Rates, Stamp, Tier
from oneseat.contract.reports.advice import Advice
from oneseat.contract.reports.plans import Alternative, Class, Enough, Plan, PlanBook
from oneseat.rules.usage.advice import Span, advise, cost, on_model, option, verdict
from oneseat.rules.usage.sums import Part, Sum

RATES = Rates(input=2, output=10, cache_read=0.2, cache_write_5m=2.5, cache_write_1h=4)
LONG = Rates(input=4, output=20, cache_read=0.4, cache_write_5m=5, cache_write_1h=8)
PRICES = {
    "known": Price(rates=RATES, table="t"),
    "tiered": Price(rates=RATES, tiers=(Tier(100, LONG),), table="t"),
}
STAMP = Stamp("table 1", "https://prices", "2026-11-20")
MILLION = 1_000_000
dollars = st.floats(0.01, 100_000)


def plan(name: str = "p", price: float | None = 20, credit: float | None = 0) -> Plan:
    return Plan(
        id=name,
        name=name.upper(),
        price_usd_month=price,
        api_credit_usd=credit,
        source="s",
        as_of="2026-11-01",
    )


def book(*plans: Plan) -> PlanBook:
    return PlanBook(
        version="2026-11-20",
        plans=plans,
        classes=(
            Class(id="light", name="light", from_usd_month=0, reason="r"),
            Class(id="heavy", name="heavy", from_usd_month=100, reason="r"),
        ),
        alternatives=(Alternative(id="known"), Alternative(id="tiered"), Alternative(id="nova")),
        requests=(),
        notices=(),
        enough=Enough(days=7, days_with_use=3, reason="r"),
    )


def part(
    day: int | None, listed: float | None = 1.0, model: str = "known", source: str = "transcript"
) -> Part:
    tokens = (MILLION, MILLION, 10 * MILLION, MILLION, MILLION)
    return Part((day, source, "unknown", "p", model, ""), 2, tokens, listed, None)


def advice(*parts: Part, plans: tuple[Plan, ...] = (), first: int = 101, last: int = 110) -> Advice:
    return advise(
        parts, Span(first, last, "UTC"), book(*plans), lambda model, _: PRICES.get(model), STAMP, {}
    )


def test_a_month_is_made_of_the_days_from_the_first_use_on() -> None:
    found = advice(part(90), part(101), part(105), part(110), part(111), part(None), first=81)
    assert found.period is not None
    assert found.workload is not None
    assert (found.period.days, found.period.days_with_use, found.period.undated) == (21, 4, 2)
    assert found.workload.list_price_usd == 4.0
    assert found.workload.list_price_usd_month == pytest.approx(4 * 30 / 21)
    assert found.workload.per_month is not None
    assert found.workload.per_month.cache_write == pytest.approx(8 * MILLION * 30 / 21)


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ((), "nothing_used"),
        ((200,), "nothing_used"),
        ((101, 102), "too_little"),
        ((105, 106, 107), "too_little"),
        ((101, 102, 103), None),
    ],
)
def test_too_little_gives_no_verdict_and_no_month(days: tuple[int, ...], why: str | None) -> None:
    found = advice(*map(part, days), plans=(plan(),))
    assert found.no_verdict == why
    without = why is not None
    assert (found.verdict is None, found.cheapest_certain is None, found.models == ()) == (without,) * 3
    assert (found.options[0].most_usd_month is None) == without
    if found.workload is not None:
        assert (found.workload.per_month is None) == without


def test_without_any_known_price_there_is_no_verdict_and_never_a_zero() -> None:
    found = advice(*(part(day, None, "nova") for day in (101, 105, 110)), plans=(plan(),))
    assert found.no_verdict == "no_price"
    assert found.workload is not None
    assert (found.workload.list_price_usd, found.workload.list_price_usd_month) == (None, None)
    assert found.workload.unpriced_tokens == {"nova": 42 * MILLION}
    assert found.workload.at_least
    assert found.cheapest_possible is None


@pytest.mark.parametrize(
    ("price", "credit", "key", "least", "most", "can_pay", "share"),
    [
        (20, 0, 10, 20, 30, False, None),
        (20, 0, 20, 20, 40, True, 1.0),
        (20, 0, 200, 20, 220, True, 0.1),
        (100, 100, 50, 100, 100, False, None),
        (100, 100, 400, 100, 400, True, 0.0),
        (100, 50, 400, 100, 450, True, 0.125),
        (100, None, 400, 100, 500, True, 0.25),
        (None, 20, 400, None, None, None, None),
        (20, 0, None, None, None, None, None),
        (20, 0, 0, 20, 20, False, None),
        (0, 0, 0, 0, 0, True, None),
    ],
)
def test_break_even(
    price: float | None,
    credit: float | None,
    key: float | None,
    least: float | None,
    most: float | None,
    can_pay: bool | None,
    share: float | None,
) -> None:
    found = option(plan("p", price, credit), key)
    assert (found.least_usd_month, found.most_usd_month) == (least, most)
    assert (found.can_pay, found.pays_from_share) == (can_pay, share)


@given(dollars, dollars, dollars, dollars)
def test_more_work_never_makes_a_plan_pay_less(price: float, credit: float, one: float, more: float) -> None:
    less, greater = option(plan("p", price, credit), one), option(plan("p", price, credit), one + more)
    assert not less.can_pay or greater.can_pay
    if less.pays_from_share is not None:
        assert greater.pays_from_share is not None
        assert greater.pays_from_share <= less.pays_from_share


@given(dollars, dollars, dollars)
def test_at_the_share_that_is_named_plan_and_key_cost_the_same_or_less(
    price: float, credit: float, key: float
) -> None:
    found = option(plan("p", price, credit), key)
    if found.pays_from_share is not None:
        assert 0 <= found.pays_from_share <= 1
        assert price + max(0.0, key * (1 - found.pays_from_share) - credit) <= key * (1 + 1e-9)


@given(st.lists(st.tuples(st.none() | dollars, st.none() | dollars), max_size=4))
def test_the_cheapest_is_never_dearer_than_the_key_and_never_of_unknown_price(
    drawn: list[tuple[float | None, float | None]],
) -> None:
    plans = tuple(plan(f"p{number}", *each) for number, each in enumerate(drawn))
    found = advice(*(part(day, 50.0) for day in (101, 105, 110)), plans=plans)
    unknown = {each.id for each in plans if each.price_usd_month is None}
    assert found.workload is not None
    for mix in (found.cheapest_certain, found.cheapest_possible):
        assert mix is not None
        assert mix.plan not in unknown
        assert mix.usd_month <= (found.workload.list_price_usd_month or 0)
    assert found.cheapest_certain is not None
    assert found.cheapest_possible is not None
    assert found.cheapest_possible.usd_month <= found.cheapest_certain.usd_month


@given(st.lists(st.tuples(st.integers(101, 110), st.none() | dollars), min_size=1, max_size=8))
def test_what_has_no_price_is_in_no_sum_and_makes_it_a_lower_bound(
    drawn: list[tuple[int, float | None]],
) -> None:
    days = [part(day, 1.0, source="run") for day in (101, 105, 110)]
    known = sum(listed for _, listed in drawn if listed is not None)
    found = advice(
        *days, *(part(day, listed, "nova" if listed is None else "known", "run") for day, listed in drawn)
    )
    assert found.workload is not None
    assert found.workload.list_price_usd == pytest.approx(3.0 + known)
    without = sum(listed is None for _, listed in drawn)
    assert found.workload.at_least == (without > 0)
    assert sum(found.workload.unpriced_tokens.values()) == 14 * MILLION * without


def test_a_run_that_was_cut_off_has_no_model_without_a_price() -> None:
    cut_off = Part((103, "run", "api_key", "p", "known", ""), 1, (0, 0, 0, 0, 0), None, None)
    said = advice_text(advice(part(102), cut_off, part(104, None, "nova")))
    assert "? tokens unknown, in no sum: known\n" in said
    assert "? no price known, in no sum: nova (14.0M tokens)\n" in said


def test_only_plans_that_are_in_force_are_counted() -> None:
    paused = Plan(
        id="q", name="Q", status="paused", price_usd_month=1, api_credit_usd=0, source="s", as_of="2026-11-01"
    )
    found = advice(*(part(day, 50.0) for day in (101, 105, 110)), plans=(plan(), paused))
    assert [each.id for each in found.options] == ["p"]


def test_the_class_is_the_highest_that_is_reached() -> None:
    names = [found.id if (found := verdict(usd, book())) else None for usd in (0, 99.9, 100, 5000)]
    assert names == ["light", "light", "heavy", "heavy"]


def test_caching_is_compared_with_the_same_tokens_as_plain_input() -> None:
    found = advice(part(101), part(105), part(110, None, "nova"), first=81, last=130)
    assert found.caching is not None
    # Thirty days as they are: 2 parts of 10 M read, 1 M for 5 minutes, 1 M for an hour; what has no price is left out.
    assert found.caching.cached_usd_month == pytest.approx(2 * (10 * 0.2 + 2.5 + 4))
    assert found.caching.plain_usd_month == pytest.approx(2 * 12 * 2)
    assert found.caching.read_share == pytest.approx(10 / 13)
    assert not found.caching.tiers_ignored


def test_another_model_gets_all_tokens_and_two_prices_where_length_counts() -> None:
    total = Sum()
    total.add(part(1, None, "nova"))
    plain = cost(total.tokens, RATES)
    assert plain == pytest.approx(2 + 10 + 10 * 0.2 + 2.5 + 4)
    found = {
        name: on_model(name, total, lambda model, _: PRICES.get(model), 2)
        for name in ("known", "tiered", "nova")
    }
    assert (found["known"].least_usd_month, found["known"].most_usd_month) == (2 * plain, 2 * plain)
    assert (found["tiered"].least_usd_month, found["tiered"].most_usd_month) == (2 * plain, 4 * plain)
    assert (found["nova"].least_usd_month, found["nova"].most_usd_month) == (None, None)


def test_what_an_answer_needs_is_told_apart_by_who_asked() -> None:
    own = Part((101, "run", "plan", "p", "known", ""), 4, (100, 7, 200, 0, 100), 1.0, 0.0)
    found = advice(own, part(105))
    assert found.lean is not None
    assert (found.lean.own_sent_per_answer, found.lean.other_sent_per_answer) == (100, 13 * MILLION / 2)


def test_every_number_has_its_source_and_its_date() -> None:
    found = advice(*(part(day, 50.0) for day in (101, 105, 110)), plans=(plan("a"), plan("b", None)))
    assert [each.what for each in found.sources] == ["prices of models (table 1)", "plan A", "plan B"]
    assert all(each.source and each.as_of for each in found.sources)
