"""What a run's events add up to."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import FREE, NO_BUDGET, Budget, Price, Rates, Reservation
from oneseat.contract.events import (
    LimitSeen,
    Message,
    Retry,
    TextDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
    UsageSeen,
)
from oneseat.contract.receipt import MOST_TOKENS, LimitReading, TokenUsage, cost_or_none
from oneseat.rules.budgets.meter import Meter
from oneseat.rules.runs.totals import RunTotals, sum_of_usages


def _limit(window: str, overage: bool | None) -> LimitSeen:
    reading = LimitReading(
        window=window, status="allowed", source="rate_limit_event", read_at="2026-11-20T12:00:00Z"
    )
    return LimitSeen(limit=reading, overage=overage)


@pytest.mark.parametrize(
    ("events", "overage"),
    [
        ([], None),
        ([_limit("five_hour", False)], False),
        ([_limit("five_hour", None)], None),
        ([_limit("unknown", False)], None),
        ([_limit("unknown", True)], True),
        ([_limit("five_hour", True), _limit("seven_day", None)], True),
    ],
)
def test_only_a_named_window_is_the_servers_word_on_the_plan(
    events: list[LimitSeen], overage: bool | None
) -> None:
    totals = RunTotals()
    for event in events:
        totals.add(event)
    assert totals.overage is overage


def test_what_a_broken_attempt_streamed_is_not_part_of_the_next() -> None:
    totals = RunTotals()
    for event in (
        TextDelta(text="half"),
        Retry(attempt=1, max_attempts=2, delay_s=0.5, status=None, cause="connection"),
        TextDelta(text="who"),
    ):
        totals.add(event)
    assert totals.partial_text() == "who"


def test_partial_text_is_the_finished_messages_and_the_piece_in_progress() -> None:
    totals = RunTotals()
    for event in (TextDelta(text="one"), Message(text="one"), TextDelta(text=" two")):
        totals.add(event)
    assert totals.partial_text() == "one two"


def test_tools_are_open_until_they_answer() -> None:
    totals = RunTotals()
    totals.add(ToolCall(id="t1", name="Bash", input={}))
    totals.add(ToolCall(id="t2", name="Read", input={}))
    totals.add(ToolResult(id="t1", text="ok"))
    assert totals.open_tools == {"t2": "Read"}


def test_two_tallies_share_nothing() -> None:
    RunTotals().add(_limit("five_hour", True))
    assert RunTotals().limits == {}


def test_an_answer_without_a_count_costs_what_was_reserved_for_it() -> None:
    watching = _paid_by_use(reserved=0.5)
    watching.add(UsageSeen(message_id="m1", usage=TokenUsage(), model="m"))
    watching.add(TextDelta(text="hello"))
    watching.add(UsageSeen(message_id="m1", usage=TokenUsage(), model="m", stop_reason="end_turn"))
    watching.add(TurnEnded(text="hello", usage=TokenUsage()))
    assert (watching.spent_usd, watching.committed_usd) == (None, 0.5)


def test_requests_without_a_count_add_up() -> None:
    watching = _paid_by_use(reserved=0.5)
    for message in ("m1", "m2"):
        watching.cover(0.5, 100, 100)
        watching.add(UsageSeen(message_id=message, usage=TokenUsage(), model="m", stop_reason="tool_use"))
    assert (watching.spent_usd, watching.committed_usd) == (None, 1.0)


def test_an_answer_of_a_model_without_a_price_costs_what_was_reserved_for_it() -> None:
    watching = _paid_by_use(reserved=0.5)
    usage = TokenUsage(10, 3, 0, 0, 0)
    watching.add(UsageSeen(message_id="m1", usage=usage, model="another", stop_reason="end_turn"))
    assert (watching.spent_usd, watching.committed_usd) == (None, 0.5)


def test_a_model_that_is_free_needs_no_count() -> None:
    watching = Meter(reservation=NO_BUDGET, max_turns=None, prices=lambda _: FREE, price=FREE, by_use=True)
    watching.add(UsageSeen(message_id="m1", usage=TokenUsage(), model="m", stop_reason="end_turn"))
    assert watching.spent_usd == 0.0


@pytest.mark.parametrize("said", [-5.0, -1e-9, 1e8, 1e308, float("inf"), float("nan")])
def test_a_cost_that_cannot_be_true_is_unknown(said: float) -> None:
    assert TurnEnded(text="hello", list_cost_usd=said).list_cost_usd is None
    assert cost_or_none(said) is None


@given(st.builds(TokenUsage, *[st.none() | st.integers()] * 5))
def test_no_usage_holds_a_count_that_cannot_be_true(usage: TokenUsage) -> None:
    assert all(count is None or 0 <= count <= MOST_TOKENS for count in msgspec.structs.astuple(usage))


def test_a_count_that_cannot_be_true_is_unknown_in_sums_and_when_it_is_read_again() -> None:
    most = TokenUsage(MOST_TOKENS, 1, 0, 0, 0)
    assert sum_of_usages([most, most]) == TokenUsage(None, 2, 0, 0, 0)
    read = msgspec.json.decode(f'{{"input_tokens": {10**30}, "output_tokens": -1}}', type=TokenUsage)
    assert read == TokenUsage()


def _paid_by_use(reserved: float) -> Meter:
    price = Price(
        rates=Rates(input=2, output=10, cache_read=0.2, cache_write_5m=2.5, cache_write_1h=4), table="test 1"
    )
    prices = {"m": price}
    watching = Meter(
        reservation=Reservation(1.0, 1.0, Budget(1.0)),
        max_turns=None,
        prices=prices.get,
        price=price,
        by_use=True,
    )
    watching.cover(reserved, 100, 100)
    return watching
