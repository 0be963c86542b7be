"""What a run's events add up to."""

from __future__ import annotations

import pytest

from oneseat.contract.events import LimitSeen, Message, Retry, TextDelta, ToolCall, ToolResult
from oneseat.contract.receipt import LimitReading
from oneseat.rules.runs.totals import Tally


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
    tally = Tally()
    for event in events:
        tally.add(event)
    assert tally.overage is overage


def test_what_a_broken_attempt_streamed_is_not_part_of_the_next() -> None:
    tally = Tally()
    for event in (
        TextDelta(text="half"),
        Retry(attempt=1, max_attempts=2, delay_s=0.5, status=None, cause="connection"),
        TextDelta(text="who"),
    ):
        tally.add(event)
    assert tally.partial_text() == "who"


def test_partial_text_is_the_finished_messages_and_the_piece_in_progress() -> None:
    tally = Tally()
    for event in (TextDelta(text="one"), Message(text="one"), TextDelta(text=" two")):
        tally.add(event)
    assert tally.partial_text() == "one two"


def test_tools_are_open_until_they_answer() -> None:
    tally = Tally()
    tally.add(ToolCall(id="t1", name="Bash", input={}))
    tally.add(ToolCall(id="t2", name="Read", input={}))
    tally.add(ToolResult(id="t1", text="ok"))
    assert tally.open_tools == {"t2": "Read"}


def test_two_tallies_share_nothing() -> None:
    Tally().add(_limit("five_hour", True))
    assert Tally().limits == {}
