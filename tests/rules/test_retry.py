"""What is repeated, when and how: by what went wrong, and by what the attempt may have done."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo
from oneseat.rules.runs.retry import (
    Failure,
    FallBack,
    GiveUp,
    Heal,
    Repeat,
    RetryLimits,
    Verdict,
    decide,
    not_repeated,
)
from scripts.error_codes import CODES

LIMITS = RetryLimits(max_attempts=3, max_wait_s=60)
PASSING = (
    "provider.overloaded",
    "provider.server_error",
    "provider.unreachable",
    "provider.connection_lost",
    "provider.api_timeout",
    "limit.rate_limited",
)
ONCE = ("incomplete.empty", "provider.crashed", "provider.output_closed")


def verdict(
    code: str, *, chance: float = 0.5, limits: RetryLimits = LIMITS, wait: float | None = None, **known: Any
) -> Verdict:
    error = ErrorInfo(code=code, message="it failed", retry_after_s=wait)
    return decide(Failure(error=error, **{"sent": True, **known}), limits, chance)


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_is_repeated_with_growing_pauses_until_the_attempts_are_used(code: str) -> None:
    assert verdict(code) == Repeat(1.0)
    assert verdict(code, earlier=(code,)) == Repeat(2.0)
    assert verdict(code, earlier=(code, code)) == GiveUp()
    assert verdict(code, limits=RetryLimits(max_attempts=1)) == GiveUp()


@pytest.mark.parametrize("code", ONCE)
def test_what_may_be_an_accident_is_repeated_once(code: str) -> None:
    assert isinstance(verdict(code), Repeat)
    assert verdict(code, earlier=(code,)) == GiveUp()


def test_a_silent_start_is_repeated_once_and_only_when_nothing_was_sent() -> None:
    assert isinstance(verdict("stall.start", sent=False), Repeat)
    assert verdict("stall.start", sent=False, earlier=("stall.start",)) == GiveUp()
    assert verdict("stall.start", sent=True) == GiveUp()


@pytest.mark.parametrize("code", [*PASSING, *ONCE, "provider.context_overflow", "provider.model_not_found"])
def test_a_run_in_which_a_tool_acted_is_never_repeated(code: str) -> None:
    assert verdict(code, acted=True, continued=True, fallback="haiku") == GiveUp()


@pytest.mark.parametrize("code", sorted({*CODES, "limit.five_hour", "limit.seven_day"} - {*PASSING, *ONCE}))
def test_nothing_else_is_repeated_however_often_it_may(code: str) -> None:
    generous = RetryLimits(max_attempts=20, max_wait_s=86_400)
    assert verdict(code, limits=generous) == GiveUp()


@pytest.mark.parametrize(
    "code",
    [
        code
        for code in CODES
        if code.startswith(("billing.", "policy.", "budget.", "usage.", "bug.", "timeout."))
        and code != "billing.settings_changed"
    ]
    + [
        "provider.auth_rejected",
        "provider.signed_out",
        "provider.credit_exhausted",
        "provider.killed",
        "cancelled",
    ],
)
def test_who_pays_who_is_signed_in_and_what_was_killed_is_never_tried_again(code: str) -> None:
    assert verdict(code, sent=False, wait=1.0, continued=True, fallback="haiku") == GiveUp()


def test_settings_that_changed_before_the_prompt_left_are_looked_at_anew_at_once() -> None:
    assert verdict("billing.settings_changed", sent=False) == Repeat(0.0)
    assert verdict("billing.settings_changed", sent=True) == GiveUp()


def test_a_wait_that_was_asked_for_is_kept_and_spread() -> None:
    assert verdict("limit.rate_limited", wait=3.0, chance=0.0) == Repeat(3.0)
    assert verdict("limit.rate_limited", pause_s=3.7, chance=0.5) == Repeat(4.7)
    assert verdict("limit.rate_limited", wait=61.0) == GiveUp()
    assert verdict("limit.rate_limited", wait=31.0, waited_s=30.0) == GiveUp()


def test_a_full_window_is_waited_for_when_it_is_short_and_then_asked_once() -> None:
    assert verdict("limit.five_hour", wait=20.0, chance=0.5) == Repeat(21.0)
    assert verdict("limit.five_hour", wait=3600.0) == GiveUp()
    assert verdict("limit.five_hour", wait=None) == GiveUp()
    assert verdict("limit.five_hour", wait=20.0, earlier=("limit.five_hour",)) == GiveUp()
    assert verdict("limit.seven_day", wait=20.0, earlier=("limit.five_hour",)) == GiveUp()
    assert isinstance(verdict("limit.five_hour", wait=20.0, earlier=("limit.rate_limited",)), Repeat)


def test_a_run_without_time_for_another_attempt_says_what_went_wrong() -> None:
    assert verdict("provider.overloaded", chance=0.5, time_left_s=1.0) == GiveUp()
    assert verdict("provider.overloaded", chance=0.5, time_left_s=1.1) == Repeat(1.0)
    assert verdict("limit.five_hour", wait=20.0, time_left_s=15.0) == GiveUp()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("provider.session_lost", "lost"),
        ("provider.context_overflow", "overflow"),
        ("incomplete.context_window", "overflow"),
    ],
)
def test_a_conversation_that_cannot_go_on_heals_and_a_fresh_one_does_not(code: str, reason: Any) -> None:
    assert verdict(code, continued=True) == Heal(reason)
    assert verdict(code, continued=False) == GiveUp()


@pytest.mark.parametrize(
    "code",
    ["provider.overloaded", "provider.model_not_found", "limit.seven_day_opus", "limit.seven_day_sonnet"],
)
def test_another_model_answers_when_one_was_named(code: str) -> None:
    assert verdict(code, fallback="haiku", wait=86_400.0) == FallBack("haiku")
    assert not isinstance(verdict(code, fallback=None, wait=86_400.0), FallBack)


@pytest.mark.parametrize("code", ["limit.five_hour", "provider.server_error", "provider.auth_rejected"])
def test_another_model_does_not_cure_everything(code: str) -> None:
    assert not isinstance(verdict(code, fallback="haiku"), FallBack)


@given(
    code=st.sampled_from(PASSING),
    chance=st.floats(0, 1, exclude_max=True),
    asked=st.floats(0, 100),
    waited=st.floats(0, 60),
    left=st.none() | st.floats(0, 100),
    times=st.integers(0, 5),
)
def test_no_wait_is_shorter_than_asked_or_longer_than_allowed(
    code: str, chance: float, asked: float, waited: float, left: float | None, times: int
) -> None:
    found = verdict(
        code, chance=chance, wait=asked, waited_s=waited, time_left_s=left, earlier=(code,) * times
    )
    assert isinstance(found, Repeat | GiveUp)
    if isinstance(found, Repeat):
        assert asked - 0.001 <= found.delay_s <= LIMITS.max_wait_s - waited + 0.001
        assert left is None or found.delay_s < left
        assert times < LIMITS.max_attempts


def test_a_repetition_that_is_refused_leaves_the_failure_and_says_why() -> None:
    failed = ErrorInfo(code="provider.overloaded", message="The provider is overloaded", whose_turn="wait")
    refused = ErrorInfo(code="billing.api_key_wins", message="A key would pay", hint="unset it")
    found = not_repeated(failed, refused)
    assert (found.code, found.whose_turn, found.hint) == ("provider.overloaded", "wait", "unset it")
    assert "not retried: A key would pay" in found.message
