"""Every error code of the product has a status, and each API its own word for it."""

from __future__ import annotations

import pytest

from oneseat.contract.errors import EXIT_CODES, ErrorInfo
from oneseat.serve.gateway.errors import kind_of, response_of
from scripts.error_codes import CODES


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("usage.client_key", (401, "invalid_api_key", "authentication_error")),
        ("budget.day_used_up", (402, "insufficient_quota", "billing_error")),
        ("budget.reached", (402, "insufficient_quota", "billing_error")),
        ("policy.grey", (403, "permission_denied", "permission_error")),
        ("billing.api_key_wins", (403, "permission_denied", "permission_error")),
        ("usage.unknown_model", (404, "model_not_found", "not_found_error")),
        ("usage.bad_schema", (400, "invalid_request_error", "invalid_request_error")),
        ("usage.too_large", (413, "invalid_request_error", "invalid_request_error")),
        ("limit.five_hour", (429, "rate_limit_exceeded", "rate_limit_error")),
        ("stall.model", (504, "timeout", "timeout_error")),
        ("timeout.total", (504, "timeout", "timeout_error")),
        ("provider.crashed", (502, "server_error", "api_error")),
        ("incomplete.empty", (502, "server_error", "api_error")),
        ("provider.overloaded", (529, "server_error", "overloaded_error")),
        ("provider.server_stopping", (503, "server_error", "overloaded_error")),
        ("bug.unexpected", (500, "server_error", "api_error")),
    ],
)
def test_a_code_has_its_status_and_its_words(code: str, kind: tuple[int, str, str]) -> None:
    assert kind_of(code) == kind


def test_only_a_bug_is_one() -> None:
    assert [
        code for code in CODES if kind_of(code).status == 500 and not code.startswith(("bug.", "guard."))
    ] == []
    assert {kind_of(begin).status for begin in EXIT_CODES} <= {400, 402, 403, 429, 500, 502, 503, 504}


def test_an_error_says_when_to_come_back_and_of_which_run_it_is() -> None:
    info = ErrorInfo(code="limit.five_hour", message="m", whose_turn="wait", retry_after_s=12.2)
    status, headers, body = response_of(info, "anthropic", "abc")
    assert (status, dict(headers)[b"retry-after"], dict(headers)[b"oneseat-run-id"]) == (429, b"13", b"abc")
    assert b'"whose_turn":"wait"' in body
