"""What a failure is when only its words say it."""

from __future__ import annotations

import pytest

from oneseat.providers.claude_cli.failures import classify
from oneseat.providers.claude_cli.wire import RateLimitInfo, ResultLine


@pytest.mark.parametrize(
    ("words", "code", "retry_after_s"),
    [
        # 2.1.332 reports no window whose reset is past.
        ("You've hit your 5-hour limit · resets 4:11pm (UTC)", "limit.five_hour", 0.0),
        ("You've hit your weekly limit · resets Mon 4pm", "limit.seven_day", 0.0),
        ("You've hit your Opus limit · resets Mon 4pm", "limit.seven_day_opus", 0.0),
        ("API Error: Request rejected (429) · rate limited", "limit.rate_limited", None),
        # Credits that run out in an answer: before 2.1.328 a rate limit was named.
        ("You're out of usage credits. See Usage in Settings", "provider.credit_exhausted", None),
        ("Your org is out of usage · contact your admin", "provider.credit_exhausted", None),
    ],
)
def test_a_limit_without_an_event_is_known_by_its_words(
    words: str, code: str, retry_after_s: float | None
) -> None:
    line = ResultLine(subtype="success", is_error=True, api_error_status=429, result=words)
    error = classify(line, "rate_limit", None, 0.0)
    assert error is not None
    assert (error.code, error.retry_after_s) == (code, retry_after_s)


def test_a_full_window_that_is_reported_is_named_with_its_reset_whatever_is_said() -> None:
    line = ResultLine(is_error=True, api_error_status=429, result="You're out of usage credits")
    limit = RateLimitInfo(status="rejected", rate_limit_type="seven_day", resets_at=100.0)
    error = classify(line, "rate_limit", limit, 40.0)
    assert error is not None
    assert (error.code, error.retry_after_s) == ("limit.seven_day", 60.0)


def test_credits_that_run_out_without_a_status_are_no_error_of_the_server() -> None:
    line = ResultLine(is_error=True, result="You're out of usage credits · progress saved")
    error = classify(line, "unknown", None, 0.0)
    assert error is not None
    assert error.code == "provider.credit_exhausted"
