"""Which budgets a run is under, what it may have of them, and how long an answer they cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import Amounts, Budget, Budgets, Price, Rates, Reservation, Spent, Tier
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, TextDelta, TurnEnded, UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import ProjectUse, Request
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.budgets import messages as budget_refusals
from oneseat.rules.budgets.allocation import LEAST_TOKENS, affordable, bounds_of, share, used_up, worst_cost
from oneseat.rules.budgets.meter import Meter, cost

RATES = Rates(input=2, output=10, cache_read=0.2, cache_write_5m=2.5, cache_write_1h=4)
DOUBLE = Rates(input=4, output=20, cache_read=0.4, cache_write_5m=5, cache_write_1h=8)
PRICE = Price(rates=RATES, table="test 1")
TIERED = Price(rates=RATES, tiers=(Tier(1000, DOUBLE),), table="test 1")
FREE = Price(rates=Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0), table="test 1")
OWN, DAY = Budget(0.5), Budget(1.0, "day")
SHOP = Budget(0.5, "day", "project", "shop")

BUDGETS = Budgets(
    all=Amounts(day_usd=20, month_usd=200),
    keys={"work": Amounts(run_usd=1, day_usd=5), "home": Amounts(day_usd=2)},
    roles={"bulk": Amounts(month_usd=50)},
    clients={"acme": Amounts(run_usd=0.1)},
)


def test_a_run_is_under_its_own_budgets_and_under_nobody_elses() -> None:
    request = Request(prompt="p", cwd="/")
    everybody = (Budget(20, "day"), Budget(200, "month"))
    assert bounds_of(BUDGETS, request, None) == everybody
    assert bounds_of(Budgets(), request, "work") == ()
    of_shop = ProjectUse(name="shop", day_budget_usd=3, month_budget_usd=30)
    bounded = Request(
        prompt="p", cwd="/", role="bulk", client="acme", max_budget_usd=0.5, project=of_shop, model="m"
    )
    assert bounds_of(BUDGETS, bounded, "work") == (
        Budget(0.5),
        *everybody,
        Budget(1, "run", "key", "work"),
        Budget(5, "day", "key", "work"),
        Budget(50, "month", "role", "bulk"),
        Budget(0.1, "run", "client", "acme"),
        Budget(3, "day", "project", "shop"),
        Budget(30, "month", "project", "shop"),
    )


@pytest.mark.parametrize(
    ("under", "used", "needs", "spent", "cap"),
    [
        # A budget of its own is all the run's, as far as the shared ones go.
        ([OWN], 0.0, None, [], Reservation(0.5, 0.5, OWN)),
        ([OWN, DAY], 0.0, None, [0.0], Reservation(0.5, 0.5, OWN)),
        ([OWN], 0.25, None, [], Reservation(0.5, 0.5, OWN, 0.25)),
        # Of a shared one it gets half, so that another run can begin beside it.
        ([DAY], 0.0, None, [0.5], Reservation(0.25, 0.5, DAY)),
        ([OWN, DAY], 0.0, None, [0.75], Reservation(0.125, 0.25, DAY)),
        ([DAY, SHOP], 0.0, None, [0.5, 0.375], Reservation(0.0625, 0.125, SHOP)),
        # Pennies are not divided.
        ([DAY], 0.0, None, [0.984375], Reservation(0.015625, 0.015625, DAY)),
        # What it has used counts, and what it needs is what it gets.
        ([DAY], 0.25, None, [0.5], Reservation(0.375, 0.5, DAY, 0.25)),
        ([DAY], 0.25, 0.125, [0.5], Reservation(0.375, 0.5, DAY, 0.25)),
        ([DAY], 0.25, 9.0, [0.5], Reservation(0.5, 0.5, DAY, 0.25)),
        ([DAY], 0.0, 0.0, [0.5], Reservation(0.0, 0.5, DAY)),
        ([DAY], 0.0, None, [1.0], None),
        ([DAY], 0.5, None, [0.5], None),
        ([SHOP, DAY], 0.0, None, [0.5, 0.0], None),
        ([OWN], 0.5, None, [], None),
        # A sum of decimals that misses its limit by a rounding has reached it.
        ([Budget(0.3, "day")], 0.0, None, [0.1 + 0.1 + 0.1 - 1e-12], None),
    ],
)
def test_a_run_gets_what_the_tightest_budget_leaves(
    under: list[Budget], used: float, needs: float | None, spent: list[float], cap: Reservation | None
) -> None:
    shared = [bound for bound in under if bound.period != "run"]
    before = [Spent(bound, usd, 0.0) for bound, usd in zip(shared, spent, strict=True)]
    assert share(under, used, needs, before) == cap


def test_a_key_does_not_pay_what_another_one_served() -> None:
    key, role = Budget(1.0, "day", "key", "work"), Budget(1.5, "day", "role", "bulk")
    before = [Spent(key, 0.25, 0.0), Spent(role, 0.25, 0.0)]
    # A dollar was used by another key: of this one's budget 0.75 is left, of the role's 0.25.
    assert share([key], 1.0, 9.0, before[:1], elsewhere_usd=1.0) == Reservation(1.75, 1.75, key, 1.0)
    assert share([key, role], 1.0, 9.0, before, elsewhere_usd=1.0) == Reservation(1.25, 1.25, role, 1.0)


def test_a_patient_run_waits_for_what_others_may_give_back() -> None:
    held, settled = [Spent(DAY, 0.75, 0.5)], [Spent(DAY, 0.75, 0.0)]
    assert share([DAY], 0.0, 0.5, held, patient=True) is None
    assert share([DAY], 0.0, 0.25, held, patient=True) == Reservation(0.25, 0.25, DAY)
    assert share([DAY], 0.0, 0.5, settled, patient=True) == Reservation(0.25, 0.25, DAY)
    # What its own budget lacks nobody gives back.
    assert share([Budget(0.125), DAY], 0.0, 0.5, held, patient=True) == Reservation(
        0.125, 0.125, Budget(0.125)
    )


@pytest.mark.parametrize(
    ("bound", "code", "words"),
    [
        (
            Budget(1, "day"),
            "budget.day_used_up",
            ("The day's budget is used up: `$1.00`", "`budget.day_usd`"),
        ),
        (
            Budget(1, "month", "key", "work"),
            "budget.month_used_up",
            (
                "The month's budget of the key `work`",
                "`keys.work.month_budget_usd`",
                "the first of the month",
            ),
        ),
        (
            Budget(1, "day", "project", "shop"),
            "budget.day_used_up",
            ("of the project `shop`", "`projects.shop.day_budget_usd`"),
        ),
        (
            Budget(1, "run", "role", "bulk"),
            "budget.reached",
            ("the budget of one run of the role `bulk`", "`roles.bulk.run_budget_usd`"),
        ),
        (Budget(1), "budget.reached", ("its budget: `$1.00`", "--max-budget-usd")),
    ],
)
def test_what_is_used_up_is_named_with_its_setting(bound: Budget, code: str, words: tuple[str, ...]) -> None:
    spent = [Spent(bound, 1.5, 0.25)] if bound.period != "run" else []
    error = used_up([bound], spent)
    assert error.code == code
    assert all(word in f"{error.message} {error.hint}" for word in words)
    if spent:
        assert "$1.50 at list price" in error.message
        assert "$0.25 is reserved by active runs" in error.message


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (2.0, "$2.00"),
        (0.5, "$0.50"),
        (0.0125, "$0.0125"),
        (1.23456, "$1.2346"),
        (0.00037, "$0.000370"),
        (0, "$0.000000"),
    ],
)
def test_an_amount_is_shown_with_the_digits_it_needs(amount: float, shown: str) -> None:
    assert budget_refusals.dollars(amount) == shown


def test_an_answer_is_as_long_as_what_is_left_covers() -> None:
    # 1000 tokens sent and written to the cache: 0.0025; the rest is output.
    assert affordable(1.0, 1000, 4096, PRICE) == 4096
    assert affordable(0.0125, 1000, 4096, PRICE) in (998, 999, 1000)
    assert affordable(0.0026, 1000, 4096, PRICE) == 0
    assert affordable(0.0, 1000, 4096, FREE) == 4096


def by_use(cap: float) -> Meter:
    bound = Budget(cap)
    return Meter(
        reservation=Reservation(cap, cap, bound),
        max_turns=None,
        prices=lambda _: PRICE,
        price=PRICE,
        by_use=True,
    )


def counted(message: str, output: int) -> UsageSeen:
    usage = TokenUsage(1000, output, 0, 0, 0)
    return UsageSeen(message_id=message, usage=usage, model="m", stop_reason="end_turn")


def test_what_is_on_its_way_is_not_known_and_counts_in_full() -> None:
    meter = by_use(1.0)
    meter.attempt()
    meter.cover(0.5, 100, 100)
    assert (meter.spent_usd, meter.committed_usd) == (None, 0.5)
    meter.add(TextDelta(text="x" * 3_000_000))
    # It was covered before it left: nothing is stopped in the middle of it.
    assert meter.objection(TextDelta(text="x")) is None
    meter.add(counted("a", 100))
    assert meter.spent_usd == meter.committed_usd == pytest.approx(0.003)
    assert meter.objection(counted("a", 100)) is None


@pytest.mark.parametrize(
    ("code", "seen", "usd"),
    [
        ("provider.overloaded", False, 0.0),
        ("limit.rate_limited", False, 0.0),
        # Something came before it broke, or nobody knows whether anything did.
        ("provider.overloaded", True, None),
        ("provider.connection_lost", False, None),
        ("provider.api_timeout", False, None),
        ("cancelled", False, None),
    ],
)
def test_only_a_request_that_was_turned_down_costs_nothing(code: str, seen: bool, usd: float | None) -> None:
    meter = by_use(1.0)
    meter.attempt()
    meter.cover(0.5, 100, 100)
    if seen:
        meter.add(TextDelta(text="x"))
    meter.broke_off(ErrorInfo(code=code, message="it failed"))
    assert meter.spent_usd == usd
    meter.attempt()
    assert meter.committed_usd == pytest.approx(0.5 if usd is None else 0.0, abs=1e-5)


@pytest.mark.parametrize(("tokens", "code"), [(50, "budget.reached"), (100, None)])
def test_an_answer_that_was_cut_where_its_budget_ends_says_so(tokens: int, code: str | None) -> None:
    meter = by_use(1.0)
    meter.attempt()
    meter.cover(0.5, tokens, 100)
    ended = TurnEnded(text="x", error=ErrorInfo(code="incomplete.max_tokens", message="cut"))
    events: list[Event] = [counted("a", tokens), ended]
    for event in events:
        meter.add(event)
    found = meter.objection(ended)
    assert (found.code if found is not None else None) == code


_MONEY = st.floats(0.0, 1e6)
_LIMIT = st.floats(1e-3, 1e6)


@given(
    st.lists(st.tuples(_LIMIT, _MONEY), min_size=1, max_size=4),
    st.none() | _LIMIT,
    _MONEY,
    st.none() | _MONEY,
)
def test_no_share_is_over_any_bound(
    shared: list[tuple[float, float]], own: float | None, used: float, needs: float | None
) -> None:
    spent = [Spent(Budget(limit, "day"), usd, 0.0) for limit, usd in shared]
    under = [*([Budget(own)] if own is not None else []), *(each.bound for each in spent)]
    cap = share(under, used, needs, spent)
    left = min([limit - usd for limit, usd in shared] + ([own] if own is not None else []))
    if cap is None:
        assert left - used < budget_refusals.LEAST_USD
        return
    assert used <= cap.usd <= left * (1 + 1e-12) + 1e-9
    assert needs is None or cap.usd - used <= needs * (1 + 1e-9) + 1e-6


@given(
    st.floats(0.0, 1e3), st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from([PRICE, TIERED, FREE])
)
def test_what_is_covered_never_costs_more_than_was_left(
    free: float, sent: int, wanted: int, price: Price
) -> None:
    tokens = affordable(free, sent, wanted, price)
    assert 0 <= tokens <= wanted
    if not tokens:
        assert worst_cost(sent, min(wanted, LEAST_TOKENS + 2), price) > free
        return
    assert worst_cost(sent, tokens, price) <= free
    for kind in ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens"):
        assert cost(TokenUsage(**{kind: sent, "output_tokens": tokens}), price) <= free


@given(st.text(max_size=200))
def test_no_text_has_more_tokens_than_are_counted_for_it(text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    assert bounds.at_most(text_bytes=size, pictures=0) >= size
