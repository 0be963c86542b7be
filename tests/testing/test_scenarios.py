"""Every scenario by name, seen by a plain HTTP client: what arrives, streamed and whole."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from oneseat.testing import SCENARIOS, Simulator, UnknownScenarioError

from .client import Reply, ask

#: Scenario to the text of its answer, streamed and whole alike.
TEXTS = {
    "ok": "ok from the simulator",
    "echo": "say ok",
    "text": "ok from the simulator",
    "thinking": "thought it through",
    "structured": "{}",
    "structured-bad": '{"not_in_the_schema":true}',
    "structured-text": "forty-two",
    "slow": "one two three four five six seven eight nine ten",
    "huge": "oneseat " * (2 * 1024 * 1024 // 8),
    "warning-five-hour": "ok from the simulator",
    "warning-seven-day": "ok from the simulator",
    "last-of-five-hour": "ok from the simulator",
    "overage": "ok from the simulator",
    # As long as no login is in the request; tests/e2e/payers/test_wallets.py has both.
    "plan-full": "ok from the simulator",
    "empty": "",
    "empty-text": "",
    "thinking-only": "",
    "max-tokens": "cut here",
    "context-window": "cut here",
    "refusal": "cut here",
}
#: Scenario to the tool it calls.
TOOLS = {"tool-use": "Bash", "tool-loop": "Bash"}
#: Scenario to the status and the kind of its error.
FAILURES = {
    "limit-five-hour": (429, "rate_limit_error"),
    "limit-seven-day": (429, "rate_limit_error"),
    "limit-opus": (429, "rate_limit_error"),
    "rate-limited": (429, "rate_limit_error"),
    "rate-limited-retry-after": (429, "rate_limit_error"),
    "bad-request": (400, "invalid_request_error"),
    "prompt-too-long": (400, "invalid_request_error"),
    "credit-balance": (400, "invalid_request_error"),
    "unauthorized": (401, "authentication_error"),
    "token-expired": (401, "authentication_error"),
    "invalid-api-key": (401, "authentication_error"),
    "token-revoked": (403, "permission_error"),
    "forbidden": (403, "permission_error"),
    "not-found": (404, "not_found_error"),
    "too-large": (413, "request_too_large"),
    "server-error": (500, "api_error"),
    "unavailable": (503, "api_error"),
    "overloaded": (529, "overloaded_error"),
}
#: Scenario to how its stream ends and what has arrived by then. Asked for without streaming, the answer is whole.
BROKEN_STREAMS = {
    "reset-mid-stream": ("ConnectionResetError", "a stream"),
    "reset-after-block": ("ConnectionResetError", "a finished blocka"),
    "eof-mid-stream": ("IncompleteRead", "a stream"),
    "eof-after-block": ("IncompleteRead", "a finished blocka"),
    "hang-mid-stream": ("TimeoutError", "a stream"),
}
ERROR_EVENTS = {"error-mid-stream": "a stream", "error-after-block": "a finished blocka"}
NOTHING_COMES = {"reset": ConnectionResetError, "hang": TimeoutError}
STOP_REASONS = {
    "max-tokens": "max_tokens",
    "context-window": "model_context_window_exceeded",
    "refusal": "refusal",
    **dict.fromkeys(TOOLS, "tool_use"),
}


def whole_text(reply: Reply) -> str:
    return "".join(block.get("text", "") for block in reply.json()["content"])


def stop_reason(reply: Reply) -> str:
    return str(
        next(event for event in reply.events() if event["type"] == "message_delta")["delta"]["stop_reason"]
    )


def test_every_scenario_is_in_a_table_here() -> None:
    tables: list[Any] = [
        TEXTS,
        TOOLS,
        FAILURES,
        BROKEN_STREAMS,
        ERROR_EVENTS,
        NOTHING_COMES,
        {"html", "pings"},
    ]
    assert sorted(name for table in tables for name in table) == sorted(SCENARIOS)


@pytest.mark.parametrize("name", TEXTS)
def test_an_answer_arrives_streamed_and_whole(simulator: Simulator, name: str) -> None:
    streamed, whole = ask(simulator.url(name)), ask(simulator.url(name), stream=False)
    assert (streamed.status, streamed.broken, streamed.text()) == (200, None, TEXTS[name])
    assert whole_text(whole) == TEXTS[name]
    expected = STOP_REASONS.get(name, "end_turn")
    assert (stop_reason(streamed), whole.json()["stop_reason"]) == (expected, expected)


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_call_arrives_streamed_and_whole(simulator: Simulator, name: str) -> None:
    streamed, whole = ask(simulator.url(name)), ask(simulator.url(name), stream=False)
    assert [block["name"] for block in whole.json()["content"]] == [TOOLS[name]]
    starts = [event for event in streamed.events() if event["type"] == "content_block_start"]
    assert [start["content_block"]["name"] for start in starts] == [TOOLS[name]]
    assert (stop_reason(streamed), whole.json()["stop_reason"]) == ("tool_use", "tool_use")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_the_api_s_own_shape(simulator: Simulator, name: str, stream: bool) -> None:
    reply = ask(simulator.url(name), stream=stream)
    body = reply.json()
    assert (reply.status, body["type"], body["error"]["type"]) == (
        FAILURES[name][0],
        "error",
        FAILURES[name][1],
    )
    assert body["error"]["message"]
    assert body["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize("name", BROKEN_STREAMS)
def test_a_broken_stream_delivers_its_first_part_and_then_breaks(simulator: Simulator, name: str) -> None:
    how, text = BROKEN_STREAMS[name]
    reply = ask(simulator.url(name), timeout=1.0)
    assert (reply.status, reply.broken, reply.text()) == (200, how, text)
    assert "message_stop" not in [event["type"] for event in reply.events()]
    assert ask(simulator.url(name), stream=False).json()["stop_reason"] == "end_turn"


@pytest.mark.parametrize("name", ERROR_EVENTS)
def test_an_error_event_ends_the_stream(simulator: Simulator, name: str) -> None:
    reply = ask(simulator.url(name))
    assert reply.broken is None
    assert reply.text() == ERROR_EVENTS[name]
    assert reply.events()[-1]["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", NOTHING_COMES)
def test_nothing_comes_back(simulator: Simulator, name: str, stream: bool) -> None:
    with pytest.raises(NOTHING_COMES[name]):
        ask(simulator.url(name), stream=stream, timeout=0.2)


def test_html_comes_back_as_a_page(simulator: Simulator) -> None:
    reply = ask(simulator.url("html"))
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.body.startswith(b"<html>")


def test_words_in_the_url_are_the_answer(simulator: Simulator) -> None:
    assert ask(simulator.url("text:grüß dich, 1/2")).text() == "grüß dich, 1/2"


@pytest.mark.parametrize(
    ("name", "statuses"), [("overloaded-once", [529, 200, 200]), ("unavailable:2", [503, 503, 200])]
)
def test_a_failure_may_pass_after_some_requests(simulator: Simulator, name: str, statuses: list[int]) -> None:
    url = simulator.url(name, "passes")
    assert [ask(url).status for _ in statuses] == statuses


@pytest.mark.parametrize(
    "name", ["overlodaed", "overloaded:", "overloaded:x", "overloaded:99999", "ok-twice"]
)
def test_an_unknown_scenario_is_refused_in_the_api_s_shape(simulator: Simulator, name: str) -> None:
    reply = ask(f"http://127.0.0.1:{simulator.port}/s/{name}")
    assert (reply.status, reply.json()["error"]["type"]) == (400, "invalid_request_error")
    assert f"unknown scenario: `{name}`" in reply.json()["error"]["message"]
    with pytest.raises(UnknownScenarioError):
        simulator.url(name)


def test_an_unknown_scenario_names_the_near_matches(simulator: Simulator) -> None:
    with pytest.raises(UnknownScenarioError) as caught:
        simulator.url("overlodaed")
    assert str(caught.value) == "unknown scenario: `overlodaed`; did you mean `overloaded` or `overage`"
    with pytest.raises(UnknownScenarioError) as caught:
        simulator.url("qqqq")
    assert str(caught.value) == "unknown scenario: `qqqq`; list them with `oneseat simulator --list`"


def test_pings_keep_coming(simulator: Simulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=10)
    connection.request("POST", "/s/pings/v1/messages", b'{"model":"m","stream":true,"messages":[]}')
    response = connection.getresponse()
    while b'"ping"' not in (piece := response.read1()):
        assert piece, "the stream ended"
    connection.close()
