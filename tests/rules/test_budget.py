"""The arithmetic of a run: prices, estimates, and when it has to stop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import NO_BUDGET, Budget, Price, Rates, Reservation, Tier
from oneseat.contract.errors import ErrorInfo, exit_code
from oneseat.contract.events import (
    Event,
    Message,
    Progress,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    TurnEnded,
    UsageSeen,
)
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment, Request
from oneseat.rules.budgets import meter as budget
from oneseat.rules.budgets.meter import Meter, cost

RATES = Rates(input=2, output=10, cache_read=0.2, cache_write_5m=2.5, cache_write_1h=4)
DOUBLE = Rates(input=4, output=20, cache_read=0.4, cache_write_5m=5, cache_write_1h=8)
PRICE = Price(rates=RATES, table="test 1")
TIERED = Price(rates=RATES, tiers=(Tier(100, DOUBLE),), table="test 1")
MILLION = 1_000_000


def meter(cap: float | None = None, max_turns: int | None = None, price: Price | None = PRICE) -> Meter:
    known = {"known": PRICE, "dear": Price(rates=DOUBLE, table="test 1")}
    return Meter(
        reservation=Reservation(cap, cap, Budget(cap)) if cap is not None else NO_BUDGET,
        max_turns=max_turns,
        prices=known.get,
        price=price,
    )


def begins(
    message: str = "m1", model: str | None = "known", subagent: str | None = None, **tokens: int
) -> UsageSeen:
    return UsageSeen(message_id=message, usage=TokenUsage(**tokens), model=model, subagent=subagent)


def stops(message: str = "m1", reason: str = "tool_use", **tokens: int) -> UsageSeen:
    return UsageSeen(message_id=message, usage=TokenUsage(**tokens), model="known", stop_reason=reason)


def spent(*events: Event) -> float | None:
    watching = meter(1.0)
    for event in events:
        watching.add(event)
    return watching.spent_usd


def first_objection(watching: Meter, *events: Event) -> tuple[int, str] | None:
    for number, event in enumerate(events):
        watching.add(event)
        found = watching.objection(event)
        if found is not None:
            return number, found.code
    return None


@pytest.mark.parametrize(
    ("usage", "price", "usd"),
    [
        (TokenUsage(input_tokens=MILLION), PRICE, 2),
        (TokenUsage(output_tokens=MILLION), PRICE, 10),
        (TokenUsage(cache_read_tokens=MILLION), PRICE, 0.2),
        (TokenUsage(cache_write_5m_tokens=MILLION), PRICE, 2.5),
        (TokenUsage(cache_write_1h_tokens=MILLION), PRICE, 4),
        (TokenUsage(MILLION, MILLION, MILLION, MILLION, MILLION), PRICE, 18.7),
        (TokenUsage(), PRICE, 0),
        (TokenUsage(input_tokens=100, output_tokens=MILLION), TIERED, 10.0002),
        (TokenUsage(input_tokens=50, cache_read_tokens=51, output_tokens=MILLION), TIERED, 20.0002204),
    ],
)
def test_what_tokens_cost(usage: TokenUsage, price: Price, usd: float) -> None:
    assert cost(usage, price) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("events", "usd"),
    [
        ([], 0),
        ([begins(input_tokens=1000)], 0.002),
        # What is announced of the output before it comes is no more than what came.
        ([begins(output_tokens=1), TextDelta(text="abc" * 1000)], 0.01),
        ([begins(), TextDelta(text="日" * 1000)], 0.01),
        ([begins(), ThinkingDelta(text="abc" * 1000)], 0.01),
        ([begins(), ThinkingDelta(text="abc" * 1000), Progress(state="x", thinking_tokens=900)], 0.01),
        ([begins(), Progress(state="x", thinking_tokens=900)], 0.009),
        ([begins(), Progress(state="x", tool_input_bytes=3000)], 0.01),
        # The provider's count takes the place of the estimate.
        ([begins(), TextDelta(text="abc" * 1000), stops(output_tokens=10)], 0.0001),
        ([begins(), stops(output_tokens=1000), begins("m2"), stops("m2", output_tokens=1000)], 0.02),
        # A request that broke off was paid for as far as it came.
        ([begins(input_tokens=1000), begins("m2", input_tokens=1000)], 0.004),
        ([begins(input_tokens=1000), begins(input_tokens=1000)], 0.002),
        ([begins(model="dear", input_tokens=1000)], 0.004),
        ([begins(model=None, input_tokens=1000)], 0.002),
        ([TextDelta(text="abc" * 1000)], 0.01),
        # The main message is counted as it comes, a subagent's when it is there.
        ([begins(), TextDelta(text="abc"), Message(text="abc" * 1000)], 0.00001),
        ([begins("s1", subagent="t1"), Message(text="abc" * 1000, subagent="t1")], 0.01),
        (
            [
                begins("s1", subagent="t1"),
                ToolCall(id="t", name="Bash", input={"a": "x" * 2991}, subagent="t1"),
            ],
            0.01,
        ),
        ([begins(input_tokens=1000), begins("s1", subagent="t1", input_tokens=1000)], 0.004),
        # The provider's own account of the whole process is better than any sum of ours.
        ([begins(input_tokens=1000), TurnEnded(text="x", list_cost_usd=0.5)], 0.5),
        ([begins(input_tokens=1000), TurnEnded(text="x")], 0.002),
        ([begins(model="unheard of", input_tokens=1)], None),
    ],
)
def test_what_a_run_has_cost_so_far(events: list[Event], usd: float | None) -> None:
    assert spent(*events) == (None if usd is None else pytest.approx(usd))


def test_a_further_attempt_adds_to_what_the_earlier_ones_cost() -> None:
    watching = meter(1.0)
    watching.attempt()
    watching.add(TurnEnded(text="", list_cost_usd=0.25))
    assert not watching.estimated
    watching.attempt()
    watching.add(begins(input_tokens=MILLION // 2))
    assert watching.spent_usd == pytest.approx(1.25)
    assert watching.estimated
    watching.add(TurnEnded(text="", list_cost_usd=0.5))
    assert (watching.spent_usd, watching.estimated) == (0.75, False)
    watching.attempt()
    watching.add(begins(input_tokens=MILLION // 2))
    watching.attempt()
    watching.add(TurnEnded(text="", list_cost_usd=0.5))
    assert watching.spent_usd == pytest.approx(2.25)
    assert watching.estimated


@pytest.mark.parametrize(
    ("events", "stopped"),
    [
        ([begins(input_tokens=1000)], None),
        ([begins(input_tokens=5000)], (0, "budget.reached")),
        ([begins(), *[TextDelta(text="abc" * 400)] * 5], (3, "budget.reached")),
        ([begins(), stops(output_tokens=1000)], (1, "budget.reached")),
        # A whole answer is let come to its end, and what it cost is said there.
        (
            [begins(), stops(reason="end_turn", output_tokens=2000), Progress(state="message_stop")],
            None,
        ),
        (
            [
                begins(),
                stops(reason="end_turn", output_tokens=2000),
                TurnEnded(text="x", list_cost_usd=0.02),
            ],
            (2, "budget.reached"),
        ),
        ([TurnEnded(text="x", list_cost_usd=0.01)], None),
        # An answer after a whole one is another request.
        ([begins(), stops(reason="end_turn", output_tokens=2000), begins("m2")], (2, "budget.reached")),
        ([begins(model="unheard of")], (0, "budget.unpriced")),
    ],
)
def test_a_run_stops_where_its_budget_ends(events: list[Event], stopped: tuple[int, str] | None) -> None:
    assert first_objection(meter(0.01), *events) == stopped


@pytest.mark.parametrize(
    ("error", "code"),
    [("provider.overloaded", None), ("budget.reached", "budget.reached"), ("budget.turns_reached", None)],
)
def test_a_failure_keeps_its_name_when_it_was_dear_too(error: str, code: str | None) -> None:
    ended = TurnEnded(text="", error=ErrorInfo(code=error, message="x"), list_cost_usd=1.0)
    assert first_objection(meter(0.01), ended) == (None if code is None else (0, code))


def test_turns_are_counted_over_all_prompts_of_a_run() -> None:
    one = [begins("a"), stops("a"), begins("b"), stops("b", "end_turn")]
    watching = meter(max_turns=2)
    watching.attempt()
    # The provider itself stops a prompt that has used them all.
    assert first_objection(watching, *one) is None
    assert watching.may_send() is not None
    watching.prompt()
    assert first_objection(watching, begins("c")) == (0, "budget.turns_reached")
    assert meter(max_turns=2, price=None).spent_usd is None


def test_a_request_that_broke_off_and_is_repeated_is_one_turn() -> None:
    watching = meter(max_turns=1)
    watching.attempt()
    assert first_objection(watching, begins("a"), begins("b"), stops("b", "end_turn")) is None


def test_a_subagents_requests_are_no_turns_of_the_conversation() -> None:
    watching = meter(max_turns=1)
    watching.attempt()
    assert (
        first_objection(watching, begins("a"), begins("s", subagent="t"), begins("s2", subagent="t")) is None
    )


@pytest.mark.parametrize(
    ("prompt", "system", "attachments", "tokens"),
    [
        ("abc", None, (), 1),
        ("abcd", "ab", (), 2),
        ("日本", None, (), 2),
        ("abc", None, (Attachment("a.txt", "text/plain", b"x" * 300),), 101),
        ("abc", None, (Attachment("a.png", "image/png", b"x" * 300_000),), 1601),
    ],
)
def test_what_a_request_sends(
    prompt: str, system: str | None, attachments: tuple[Attachment, ...], tokens: int
) -> None:
    request = Request(prompt=prompt, cwd="/", system=system, attachments=attachments)
    assert budget.input_tokens(request) == tokens


def test_only_what_nothing_was_sent_for_is_called_refused() -> None:
    codes = {
        word: exit_code(f"budget.{word}")
        for word in (
            "unknown_price",
            "input_too_large",
            "day_used_up",
            "month_used_up",
            "reached",
            "turns_reached",
            "unpriced",
        )
    }
    assert codes == {
        **dict.fromkeys(("unknown_price", "input_too_large", "day_used_up", "month_used_up"), 3),
        **dict.fromkeys(("reached", "turns_reached", "unpriced"), 4),
    }


_TOKENS = st.one_of(st.none(), st.integers(0, 10**9))
_USAGES = st.builds(TokenUsage, _TOKENS, _TOKENS, _TOKENS, _TOKENS, _TOKENS)
_PRICES = st.sampled_from([PRICE, TIERED])
_SUBAGENTS = st.sampled_from([None, None, "t1", "t2"])
_EVENTS = st.one_of(
    st.builds(TextDelta, text=st.text(max_size=50)),
    st.builds(ThinkingDelta, text=st.text(max_size=50)),
    st.builds(
        Progress,
        state=st.just("x"),
        tool_input_bytes=st.integers(0, 1000),
        thinking_tokens=st.integers(0, 1000),
    ),
    st.builds(Message, text=st.text(max_size=50), subagent=_SUBAGENTS),
    st.builds(
        UsageSeen,
        message_id=st.sampled_from(["m1", "m2", None]),
        usage=_USAGES,
        model=st.sampled_from(["known", "dear", None]),
        subagent=_SUBAGENTS,
        stop_reason=st.sampled_from([None, "tool_use", "end_turn"]),
    ),
)


@given(_USAGES, _PRICES)
def test_a_cost_is_never_negative(usage: TokenUsage, price: Price) -> None:
    assert cost(usage, price) >= 0


@given(_USAGES, _PRICES, st.sampled_from(TokenUsage.__struct_fields__), st.integers(0, 10**6))
def test_more_tokens_never_cost_less(usage: TokenUsage, price: Price, kind: str, more: int) -> None:
    fields: dict[str, Any] = {name: getattr(usage, name) for name in TokenUsage.__struct_fields__}
    fields[kind] = (fields[kind] or 0) + more
    assert cost(TokenUsage(**fields), price) >= cost(usage, price)


@given(st.lists(_EVENTS, max_size=30))
def test_what_was_spent_is_never_negative_and_writing_never_makes_it_less(events: list[Event]) -> None:
    watching, before = meter(1.0), 0.0
    for event in events:
        watching.add(event)
        now = watching.spent_usd
        assert now is not None
        assert now >= 0
        if not isinstance(event, UsageSeen):
            assert now >= before - 1e-9
        before = now


@given(st.lists(_EVENTS, max_size=30), _EVENTS)
def test_no_event_raises_a_cap(events: list[Event], last: Event) -> None:
    """A run over its cap stays over it, whatever is written next: only the provider's own count can say otherwise."""
    watching = meter(0.001)
    for event in events:
        watching.add(event)
    over = watching.may_send() is not None
    watching.add(last)
    if over and not isinstance(last, UsageSeen):
        assert watching.may_send() is not None
