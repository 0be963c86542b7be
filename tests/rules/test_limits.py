"""Windows, forecasts and pauses from what was reported, at fixed moments."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import LimitNear
from oneseat.contract.history import SeenLimit
from oneseat.rules.limits.pausing import decide
from oneseat.rules.limits.windows import (
    TRUSTED_S,
    USUAL,
    Window,
    concerns,
    forecast,
    in_overage,
    pausing,
    percents,
    warning,
    windows,
)

NOW = 1_795_190_000.0
RESET = NOW + 7200.0
MINUTE = 60.0


def seen(used: float | None, ago: float, window: str = "five_hour", **fields: Any) -> SeenLimit:
    """A report so many seconds ago."""
    at = NOW - ago
    given: dict[str, Any] = {
        "status": "allowed",
        "resets_at": RESET,
        "source": "rate_limit_event",
        "overage": False,
        "first_at": at,
        "last_at": at,
    }
    return SeenLimit(**{**given, "window": window, "used": used, **fields})


def one(*rows: SeenLimit, name: str = "five_hour") -> Window:
    (found,) = [window for window in windows(rows, NOW) if window.name == name]
    return found


def test_without_a_report_the_usual_windows_are_unknown() -> None:
    assert windows([], NOW) == [Window("five_hour"), Window("seven_day")]
    assert [window.share for window in windows([], NOW)] == [None, None]


def test_a_window_nobody_has_heard_of_has_a_row_of_its_own() -> None:
    found = windows([seen(0.5, 1, "lunar_month"), seen(0.1, 2, "eleven_day")], NOW)
    assert [window.name for window in found] == [*USUAL, "eleven_day", "lunar_month"]
    assert found[-1].used == 0.5


def test_a_report_without_a_name_is_no_window() -> None:
    assert windows([seen(None, 1, "unknown", status="rejected", resets_at=None)], NOW) == windows([], NOW)


def test_the_newest_word_counts_and_a_share_is_kept_where_a_newer_one_names_none() -> None:
    found = one(seen(0.4, 600), seen(0.6, 300), seen(None, 60))
    assert (found.used, found.used_at, found.read_at) == (0.6, NOW - 300, NOW - 60)


def test_nothing_outlives_its_reset() -> None:
    full = seen(1.0, 3600, status="rejected", resets_at=NOW - 1)
    found = one(full)
    assert (found.status, found.used, found.share, found.before) == (None, None, None, 1.0)
    assert pausing([found], 1, "sonnet", NOW) is None


def test_a_reset_time_that_trembles_is_the_same_window_and_another_one_is_not() -> None:
    trembling = one(seen(0.4, 600, resets_at=RESET + 1.9), seen(None, 60))
    assert trembling.used == 0.4
    later = one(seen(0.9, 600, resets_at=NOW + 100), seen(None, 60))
    assert later.used is None


def test_a_full_window_that_lets_requests_through_again_is_not_full() -> None:
    found = one(seen(1.0, 600, status="rejected"), seen(None, 60))
    assert (found.used, found.share) == (None, None)


def test_a_report_without_a_reset_is_forgotten_when_it_is_old() -> None:
    assert one(seen(0.9, 60, resets_at=None)).used == 0.9
    assert one(seen(0.9, TRUSTED_S + 1, resets_at=None)).used is None


def test_overage_is_what_was_last_said() -> None:
    assert in_overage([seen(1.0, 60, overage=True), seen(0.1, 90)], NOW) == (True, NOW - 60)
    assert in_overage([seen(1.0, 60, overage=None)], NOW) is None
    assert in_overage([seen(1.0, 60, overage=True, resets_at=NOW - 1)], NOW) is None


@pytest.mark.parametrize(
    ("rows", "why", "full_in", "readings"),
    [
        ([], "unknown", None, 0),
        ([seen(1.0, 5)], "full", None, 0),
        ([seen(0.5, 5)], "one_reading", None, 1),
        ([seen(0.5, 9000)], "one_reading", None, 0),
        ([seen(0.4, 299), seen(0.5, 0)], "too_close", None, 2),
        ([seen(0.5, 3600), seen(0.5, 0)], "no_growth", None, 2),
        # 10 points in an hour, 50 to go.
        ([seen(0.4, 3600), seen(0.5, 0)], "pace", 5 * 3600, 2),
        ([seen(0.4, 3600), seen(0.41, 1800), seen(0.5, 0)], "pace", 5 * 3600, 3),
        # What was emptied in between begins anew.
        ([seen(0.9, 3600), seen(0.1, 1800), seen(0.2, 0)], "pace", 8 * 1800, 2),
        # Seen unchanged for half an hour: the pace is that of both ends.
        ([seen(0.4, 1800, first_at=NOW - 3600), seen(0.5, 0)], "pace", 5 * 3600, 3),
        # What lies before the last two hours counts from there on.
        ([seen(0.4, 3600, first_at=NOW - 9000), seen(0.5, 0)], "pace", 10 * 3600, 3),
    ],
)
def test_a_forecast_rests_on_readings(
    rows: list[SeenLimit], why: str, full_in: float | None, readings: int
) -> None:
    found = forecast(rows, 7200.0, NOW)
    assert (found.why, found.readings) == (why, readings)
    assert found.full_at == (None if full_in is None else pytest.approx(NOW + full_in))


SHARES = st.lists(
    st.tuples(st.floats(0, 0.99), st.floats(0, 7200), st.floats(0, 600)), min_size=1, max_size=12
)


@given(SHARES)
def test_a_forecast_is_never_before_its_last_reading(shares: list[tuple[float, float, float]]) -> None:
    rows = sorted((seen(used, ago, first_at=NOW - ago - lasted) for used, ago, lasted in shares), key=last_at)
    found = forecast(rows, 7200.0, NOW)
    assert (found.full_at is not None) == (found.why == "pace")
    if found.full_at is not None:
        assert found.full_at >= rows[-1].last_at
        assert found.readings >= 2
        assert found.span_s >= 300


@given(st.floats(0.01, 0.5), st.floats(0.01, 0.4), st.integers(300, 7000))
def test_a_steady_pace_is_found_again(begin: float, growth: float, span: int) -> None:
    found = forecast([seen(begin, span), seen(begin + growth, 0)], 7200.0, NOW)
    assert found.full_at == pytest.approx(NOW + (1 - begin - growth) / growth * span)


def last_at(row: SeenLimit) -> float:
    return row.last_at


@given(
    st.lists(
        st.builds(
            seen,
            st.none() | st.floats(0, 1),
            st.floats(0, 700_000),
            st.sampled_from(["five_hour", "seven_day", "seven_day_opus", "new", "unknown"]),
            status=st.sampled_from(["allowed", "allowed_warning", "rejected", "reported"]),
            resets_at=st.none() | st.floats(NOW - 700_000, NOW + 700_000),
            overage=st.none() | st.booleans(),
        ),
        max_size=15,
    )
)
def test_whatever_was_reported_no_share_is_invented(rows: list[SeenLimit]) -> None:
    for window in windows(rows, NOW):
        said = [row for row in rows if row.window == window.name]
        assert window.used is None or window.used in [row.used for row in said]
        if window.status is not None:
            assert window.resets_at is None or window.resets_at > NOW
            assert any(row.resets_at is None or row.resets_at > NOW for row in said)
        if pausing([window], 50, "sonnet", NOW):
            assert NOW - max(row.last_at for row in said) <= TRUSTED_S


@pytest.mark.parametrize(
    ("window", "model", "does"),
    [
        ("five_hour", "sonnet", True),
        ("seven_day", "claude-opus-5-5", True),
        ("seven_day_opus", "claude-opus-5-5", True),
        ("seven_day_opus", "Opus", True),
        ("seven_day_opus", "sonnet", False),
        ("five_hour_fable", "claude-fable-5", True),
        ("seven_day_overage_included", "sonnet", False),
        ("seven_day_", "sonnet", False),
        ("lunar_month", "lunar_month", False),
    ],
)
def test_a_window_concerns_the_runs_that_use_it(window: str, model: str, *, does: bool) -> None:
    assert concerns(window, model) is does


@pytest.mark.parametrize(
    ("row", "paused", "warned"),
    [
        (seen(0.79, 1), False, False),
        (seen(0.8, 1), False, True),
        (seen(0.89, 1), False, True),
        (seen(0.9, 1), True, False),
        (seen(None, 1, status="rejected"), True, False),
        (seen(0.95, TRUSTED_S), True, False),
        (seen(0.95, TRUSTED_S + 1), False, False),
        (seen(None, TRUSTED_S + 1, status="rejected"), False, False),
        (seen(0.95, 1, "seven_day_opus"), False, False),
        (seen(0.95, 1, resets_at=NOW), False, False),
    ],
)
def test_runs_pause_at_a_share_and_are_warned_ten_points_below(
    row: SeenLimit, *, paused: bool, warned: bool
) -> None:
    found = windows([row], NOW)
    assert (pausing(found, 90, "sonnet", NOW) is not None) is paused
    assert (warning(found, 90, "sonnet", NOW) is not None) is warned


def test_of_several_full_windows_the_last_reset_is_waited_for() -> None:
    error = decide(
        [seen(0.95, 120), seen(0.99, 60, "seven_day", resets_at=NOW + 90_000)],
        90,
        "sonnet",
        NOW,
        over_limit=False,
    )
    assert isinstance(error, ErrorInfo)
    assert (error.code, error.retry_after_s, error.whose_turn) == ("limit.paused", 90_000.0, "wait")
    assert error.message == (
        "Unattended runs are paused, the weekly window is at `99 %`\n"
        "  `limits.pause_at_percent` is 90; reported 1 min ago"
    )


def test_who_goes_over_the_limit_is_told_of_it() -> None:
    found = decide([seen(0.95, 120)], 90, "sonnet", NOW, over_limit=True)
    assert found == LimitNear(
        window="five_hour", used=0.95, pause_at_percent=90, resets_at="2026-11-20T17:53:20Z"
    )


@given(st.integers(0, 100))
def test_percents_have_no_dust(percent: int) -> None:
    assert percents(percent / 100) == percent
