"""What vendors say when something goes wrong, in the codes every provider has; and no key in any of it."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo, OneseatError, exit_code
from oneseat.contract.receipt import NO_TOKENS
from oneseat.providers.api import failures
from oneseat.providers.api.chat import VendorError
from oneseat.providers.api.endpoint import Answered
from oneseat.rules.runs.retry import PASSING
from oneseat.testing import Answer, Failure, Page, Simulator, Text

from .asking import KEY, apis, ask, provider

#: What is written to nobody's credit: the request was turned down, and nothing was used.
TURNED_DOWN = ("bad-request", "invalid-api-key", "not-found", "rate-limited", "server-error", "overloaded")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (VendorError(400, (), "messages: Input should be a valid list"), "provider.bad_request"),
        (VendorError(422, (), "no"), "provider.bad_request"),
        (VendorError(401, (), "no"), "provider.auth_rejected"),
        (VendorError(402, (), "pay first"), "provider.credit_exhausted"),
        (VendorError(403, (), "no"), "provider.auth_rejected"),
        (VendorError(404, (), "no such model"), "provider.model_not_found"),
        (VendorError(408, (), ""), "provider.api_timeout"),
        (VendorError(413, (), ""), "provider.request_too_large"),
        (VendorError(429, ("rate_limit_exceeded",), "slow"), "limit.rate_limited"),
        (VendorError(429, ("insufficient_quota",), "no money"), "provider.credit_exhausted"),
        (VendorError(429, ("billing_error",), "no money"), "provider.credit_exhausted"),
        (VendorError(400, (), "Your credit balance is too low to access the API"), "provider.credit_exhausted"),
        (VendorError(429, ("RESOURCE_EXHAUSTED",), "You exceeded your current quota"), "limit.rate_limited"),
        (VendorError(429, ("daily_quota", "RESOURCE_EXHAUSTED"), "You exceeded your current quota"), "limit.daily_quota"),
        (VendorError(400, ("API_KEY_INVALID", "INVALID_ARGUMENT"), "API key not valid"), "provider.auth_rejected"),
        (VendorError(400, ("context_length_exceeded",), ""), "provider.context_overflow"),
        (VendorError(400, (), "This model's maximum context length is 4096 tokens"), "provider.context_overflow"),
        (VendorError(400, ("content_policy_violation",), ""), "incomplete.refused"),
        (VendorError(500, (), ""), "provider.server_error"),
        (VendorError(502, (), "Bad gateway"), "provider.server_error"),
        (VendorError(503, (), ""), "provider.overloaded"),
        (VendorError(504, (), ""), "provider.api_timeout"),
        (VendorError(529, (), ""), "provider.overloaded"),
        (VendorError(307, (), ""), "provider.garbled"),
        (VendorError(None, ("overloaded_error",), "Overloaded"), "provider.overloaded"),
        (VendorError(None, ("server_error",), "oops"), "provider.server_error"),
        (VendorError(None, ("what_is_this",), "oops"), "provider.api_error"),
    ],
)  # fmt: skip
def test_a_vendors_words_have_a_code(said: VendorError, code: str) -> None:
    assert failures.of_error(ValueError(), said, None, "work").code == code


def test_a_rejected_key_is_named_without_the_vendors_words() -> None:
    said = VendorError(401, ("invalid_api_key",), "Incorrect API key provided: sk-ma***hij")
    error = failures.of_error(ValueError(), said, None, "work")
    assert error.message == "The endpoint rejected the API key: status 401"
    assert "`oneseat key set work`" in str(error.hint)


def test_the_words_of_an_unreadable_answer_stay_where_they_are() -> None:
    error = failures.of_error(ValueError(f"bad line: {KEY}"), None, Answered(200, "text/event-stream"), None)
    assert error.code == "provider.garbled"
    assert KEY not in error.message


@pytest.mark.parametrize(
    ("text", "begun", "code"),
    [
        (True, True, "incomplete.cut_off"),
        (False, True, "provider.connection_lost"),
        (False, False, "provider.garbled"),
    ],
)
def test_a_cut_answer_is_repeated_only_where_no_text_of_it_came(text: bool, begun: bool, code: str) -> None:
    cut = failures.of_cut(Answered(200, "text/event-stream"), text=text, begun=begun)
    assert (cut.code, cut.code in PASSING) == (code, code == "provider.connection_lost")
    page = failures.of_cut(Answered(200, "text/html; charset=utf-8"), text=False, begun=False)
    assert (page.code, "base_url" in str(page.hint)) == ("provider.garbled", True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1" * 40}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert failures.retry_after(headers) == seconds


def test_when_to_come_back_may_be_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    found = failures.retry_after({"retry-after": format_datetime(moment, usegmt=True)})
    assert found is not None
    assert 95 < found <= 100


@given(st.text(max_size=60))
def test_no_header_breaks_the_reading(value: str) -> None:
    found = failures.retry_after({"retry-after": value, "retry-after-ms": value})
    assert found is None or found >= 0


@apis
@pytest.mark.parametrize("scenario", TURNED_DOWN)
def test_a_request_that_was_turned_down_used_nothing(simulator: Simulator, api: str, scenario: str) -> None:
    assert ask(provider(api, simulator.url(scenario))).ended.usage == NO_TOKENS


@apis
@pytest.mark.parametrize("scenario", ["reset", "eof-mid-stream", "error-mid-stream"])
def test_what_a_lost_answer_used_is_not_known(simulator: Simulator, api: str, scenario: str) -> None:
    assert ask(provider(api, simulator.url(scenario))).ended.usage is None


@apis
def test_no_request_is_repeated_by_the_sdk(simulator: Simulator, api: str) -> None:
    for scenario in ("rate-limited-retry-after", "overloaded", "server-error", "reset"):
        ask(provider(api, simulator.url(scenario, scenario)))
        assert len(simulator.messages(scenario)) == 1


@apis
def test_when_to_come_back_is_passed_on(simulator: Simulator, api: str) -> None:
    error = ask(provider(api, simulator.url("rate-limited-retry-after"))).ended.error
    assert error is not None
    assert (error.code, error.retry_after_s, exit_code(error.code)) == ("limit.rate_limited", 3.0, 5)


@apis
def test_a_server_that_is_not_there_is_unreachable(api: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    turn = ask(provider(api, f"http://127.0.0.1:{port}"))
    assert (turn.code, turn.ended.usage) == ("provider.unreachable", NO_TOKENS)


@apis
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_endpoint_that_repeats_the_key_does_not_get_it_shown(
    simulator: Simulator, api: str, status: int
) -> None:
    words = f"your key {KEY} was not liked"
    simulator.script("echo-key", [Failure(status=status, kind="api_error", message=words)])
    turn = ask(provider(api, simulator.url("echo-key")))
    assert turn.code is not None
    assert KEY not in repr(turn.events)


@apis
@pytest.mark.parametrize(
    "body",
    ["", "\n\n", "{", "{}", "[]", ": ping\n\n", "data: {\n\n", "data: []\n\n", 'data: {"type": 7}\n\n'],
)
def test_what_no_api_answers_is_a_typed_error(simulator: Simulator, api: str, body: str) -> None:
    simulator.script("strange", [Page(body=body, content_type="text/event-stream")])
    turn = ask(provider(api, simulator.url("strange")))
    # None of them is asked again: the endpoint would charge for it again, or say the same.
    assert turn.code in {"provider.garbled", "provider.api_error"}


@apis
def test_a_key_that_is_not_there_is_a_problem_before_anything_is_sent(simulator: Simulator, api: str) -> None:
    missing = ErrorInfo(code="provider.no_key", message="API key not found: `keys.work`")

    def read() -> str:
        raise OneseatError(missing)

    turn = ask(provider(api, simulator.url("unauthorized"), read))
    assert turn.facts.problem == missing
    assert simulator.requests()[0].auth == ()


@apis
def test_the_facts_name_the_key_and_never_hold_it(simulator: Simulator, api: str) -> None:
    facts = ask(provider(api, simulator.url("ok"))).facts
    assert (facts.key, facts.place, facts.own_endpoint, facts.simulated) == ("work", "this test", True, False)
    assert facts.endpoint.startswith(simulator.url("ok"))
    assert KEY not in repr(facts)


@apis
def test_what_came_before_a_break_is_passed_on(simulator: Simulator, api: str) -> None:
    simulator.script("cut", [Answer(content=(Text("one two three"),), fault="reset", fault_after=2)])
    turn = ask(provider(api, simulator.url("cut")))
    assert (turn.pieces, turn.code) == ("one two", "provider.connection_lost")
