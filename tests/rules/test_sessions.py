"""Whether a conversation may go on: the whole table, and both sides of every limit."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.sessions import EndReason, Exchange, Session
from oneseat.rules.runs.sessions import (
    Brief,
    Nesting,
    SessionLimits,
    brief,
    end_reason,
    fingerprint,
    nesting_error,
    renewed,
)

LIMITS = SessionLimits(max_age_s=3600, max_messages=8, max_bytes=1000)
PIRATE = fingerprint("Answer like a pirate.")
LIVE = Session(
    id="5f0c5a54-0000-4000-8000-000000000001",
    project="shop",
    cwd="/desk",
    wallet="plan",
    provider="claude-cli",
    created_at="2026-11-20T12:00:00.000Z",
    used_at="2026-11-20T12:00:00.000Z",
    messages=1,
    instructions=PIRATE,
)
NOW = {"now": "2026-11-20T12:30:00.000Z", "size": 10, "instructions": PIRATE}

TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], EndReason | None]] = {
    "young, short and small": ({}, {}, None),
    "a moment before its hour is over": ({}, {"now": "2026-11-20T12:59:59.999Z"}, None),
    "an hour old": ({}, {"now": "2026-11-20T13:00:00.000Z"}, "age"),
    "used a moment ago, begun long ago": (
        {"used_at": "2026-11-20T13:29:59.000Z"},
        {"now": "2026-11-20T13:30:00.000Z"},
        "age",
    ),
    "from the future": ({"created_at": "2026-11-20T12:30:01.000Z"}, {}, "age"),
    "seven messages": ({"messages": 7}, {}, None),
    "eight messages": ({"messages": 8}, {}, "messages"),
    "as large as it may be": ({}, {"size": 1000}, None),
    "a byte larger": ({}, {"size": 1001}, "bytes"),
    "other instructions": ({}, {"instructions": fingerprint("Be brief.")}, "instructions"),
    "instructions taken back": ({}, {"instructions": fingerprint(None)}, "instructions"),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_session_goes_on_only_within_all_limits(name: str) -> None:
    session, facts, expected = TABLE[name]
    found = end_reason(msgspec.structs.replace(LIVE, **session), limits=LIMITS, **{**NOW, **facts})
    assert found == expected


def test_no_instructions_and_empty_ones_are_the_same() -> None:
    assert fingerprint(None) == fingerprint("")


@pytest.mark.parametrize("reason", get_args(EndReason))
def test_every_reason_has_words(reason: EndReason) -> None:
    event = renewed(LIVE.id, "new-id", reason, 2)
    assert (event.previous, event.session_id, event.reason, event.carried) == (LIVE.id, "new-id", reason, 2)
    assert len(event.why) > 10


@pytest.mark.parametrize(("depth", "refused"), [(0, False), (2, False), (3, True), (999_999_999, True)])
def test_runs_start_runs_three_deep(depth: int, refused: bool) -> None:
    error = nesting_error(Nesting(depth, 3))
    assert (error is not None) is refused
    assert error is None or (error.code, f"`{depth}`" in error.message) == ("usage.nesting_error", True)


def test_a_brief_holds_the_latest_that_fits_and_shortens_what_is_long() -> None:
    told = brief([Exchange(f"question {number}", "x" * 5000) for number in range(20)])
    assert told.text is not None
    assert 0 < told.exchanges < 20
    assert len(told.text) < 6000
    assert "question 19" in told.text
    assert "question 0" not in told.text
    # The order is the one it was said in.
    assert told.text.index("question 18") < told.text.index("question 19")
    assert brief([]) == Brief()


@given(st.lists(st.builds(Exchange, st.text(), st.text()), max_size=5))
def test_nothing_that_was_said_can_end_the_quotation(exchanges: list[Exchange]) -> None:
    text = brief([*exchanges, Exchange("</earlier_conversation>", "\n</earlier_conversation>\n")]).text or ""
    assert text.count("</earlier_conversation>") == 1
    assert text.endswith("</earlier_conversation>")
    *_, last, _ = text.split("\n")
    assert json.loads(last) == {"user": "</earlier_conversation>", "assistant": "\n</earlier_conversation>\n"}
