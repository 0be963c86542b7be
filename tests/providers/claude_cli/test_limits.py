"""What the CLI answers to `get_usage`, and what of it is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.receipt import LimitReading
from oneseat.providers.claude_cli.limits import limits_of

AT = "2026-11-20T16:00:00.000Z"
RESET = "2026-11-20T19:51:55.000Z"


def read(rate_limits: Any) -> tuple[LimitReading, ...]:
    return limits_of({"rate_limits": rate_limits, "rate_limits_available": True}, AT, lambda text: text)


def test_windows_have_shares_from_0_to_1() -> None:
    # As 2.1.329 and 2.1.197 answer after the first message of a process with a login file.
    answer = {
        "five_hour": {"utilization": 93, "resets_at": RESET},
        "seven_day": {"utilization": 0.5, "resets_at": None},
    }
    assert [(it.window, it.status, it.used, it.resets_at, it.source, it.read_at) for it in read(answer)] == [
        ("five_hour", "reported", 0.93, RESET, "get_usage", AT),
        ("seven_day", "reported", 0.005, None, "get_usage", AT),
    ]


def test_windows_of_models_and_extra_usage_have_names_of_their_own() -> None:
    answer = {
        "lunar_month": {"utilization": 1},
        "model_scoped": [
            {"display_name": "Fable 5", "utilization": 12, "resets_at": RESET},
            {"utilization": 1},
            7,
        ],
        "extra_usage": {"is_enabled": True, "utilization": 25, "monthly_limit": 100, "used_credits": 25},
    }
    assert [(it.window, it.status, it.used) for it in read(answer)] == [
        ("lunar_month", "reported", 0.01),
        ("seven_day_fable_5", "reported", 0.12),
        ("extra_usage", "enabled", 0.25),
    ]


@pytest.mark.parametrize(
    "none", [None, {}, [], "x", {"five_hour": None}, {"five_hour": {}}, {"model_scoped": {}}]
)
def test_where_nothing_is_said_there_is_no_window(none: Any) -> None:
    assert read(none) == ()


@pytest.mark.parametrize("percent", [100.5, 101, 250, 1000])
def test_a_window_can_be_more_than_full(percent: float) -> None:
    (found,) = read({"five_hour": {"utilization": percent, "resets_at": RESET}})
    assert found.used == percent / 100


@pytest.mark.parametrize("percent", [None, True, "12", -1, 1_795_176_316, float("nan"), float("inf")])
def test_what_is_no_percentage_is_not_known(percent: Any) -> None:
    (found,) = read({"five_hour": {"utilization": percent, "resets_at": "soon"}})
    assert (found.used, found.resets_at) == (None, None)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["five_hour", "model_scoped", "extra_usage", "utilization", "resets_at", "display_name"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(ANY)
def test_any_answer_is_read_without_a_complaint(answer: Any) -> None:
    for found in read(answer):
        assert found.used is None or 0 <= found.used <= 100
