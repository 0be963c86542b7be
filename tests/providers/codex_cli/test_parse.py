"""What the app-server says, as events: recorded conversations, and anything at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.events import (
    Event,
    LimitSeen,
    Message,
    Progress,
    Question,
    Retry,
    Started,
    TextDelta,
    TurnEnded,
    Unknown,
    UsageSeen,
)
from oneseat.contract.receipt import TokenUsage
from oneseat.providers.codex_cli import failures, wire
from oneseat.providers.codex_cli.limits import readings, window_name
from oneseat.providers.codex_cli.parse import Parser, Setting, tokens
from oneseat.providers.schemas import is_strict

DATA = Path(__file__).parents[2] / "data" / "codex"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def parser() -> Parser:
    setting = Setting(
        run_id="r", provider="codex-cli", cwd="/work", now=lambda: 1795173000.0, redact=lambda text: text
    )
    return Parser(setting)


def replay(name: str) -> list[Event]:
    """The events of a recorded conversation, one turn after the other."""
    reader, found = parser(), list[Event]()
    for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        message = entry["msg"]
        if entry["dir"] == ">":
            if message["method"] == "turn/start":
                reader.begin()
            continue
        thread = message.get("result", {}).get("thread")
        if thread is not None:
            reader.thread, reader.model = thread["id"], thread["model"]
        found += reader.events(wire.decode(json.dumps(message).encode()))
    return found


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_three_turns_of_one_thread() -> None:
    events = replay("app_server_three_turns")
    assert [ended.text for ended in of(TurnEnded, events)] == ["Hello from the mock."] * 3
    used = TokenUsage(234, 56, 1000, 0, 0)
    assert [ended.usage for ended in of(TurnEnded, events)] == [used] * 3
    assert [seen.usage for seen in of(UsageSeen, events)] == [used] * 3
    assert "".join(delta.text for delta in of(TextDelta, events)) == "Hello from the mock. " * 3
    assert len(of(Started, events)) == len(of(Message, events)) == 3
    assert {(seen.limit.window, seen.limit.used) for seen in of(LimitSeen, events)} == {
        ("five_hour", 0.42),
        ("seven_day", 0.17),
    }
    assert of(Unknown, events) == []


def test_a_full_window_says_when_it_opens() -> None:
    events = replay("app_server_usage_limit")
    (ended,) = of(TurnEnded, events)
    assert (ended.error.code, ended.error.retry_after_s) == ("limit.five_hour", 4088.0)
    assert ended.usage == TokenUsage(0, 0, 0, 0, 0)
    assert all(seen.overage is False for seen in of(LimitSeen, events))


def test_a_retry_is_no_end() -> None:
    events = replay("app_server_401_refresh")
    assert [(retry.attempt, retry.max_attempts) for retry in of(Retry, events)] == [
        (attempt, 5) for attempt in range(1, 6)
    ]
    (ended,) = of(TurnEnded, events)
    assert ended.error.code == "provider.unreachable"
    assert ended.usage is None


def test_an_interrupted_turn_is_no_answer() -> None:
    (ended,) = of(TurnEnded, replay("app_server_interrupt"))
    assert (ended.error.code, ended.usage) == ("provider.interrupted", None)


@pytest.mark.parametrize(
    ("info", "message", "code"),
    [
        ("contextWindowExceeded", "ran out", "provider.context_overflow"),
        ("usageLimitExceeded", "Quota exceeded. Check your plan", "provider.credit_exhausted"),
        ("usageLimitExceeded", "You have hit your usage limit", "limit.window_full"),
        ("serverOverloaded", "at capacity", "provider.overloaded"),
        ("modelNotFound", "no such model", "provider.model_not_found"),
        ("unauthorized", "sign in", "provider.auth_rejected"),
        ({"httpConnectionFailed": {"httpStatusCode": 401}}, "x", "provider.auth_rejected"),
        ({"httpConnectionFailed": {"httpStatusCode": 413}}, "x", "provider.request_too_large"),
        ({"httpConnectionFailed": {"httpStatusCode": 502}}, "x", "provider.server_error"),
        ({"httpConnectionFailed": {"httpStatusCode": 418}}, "x", "provider.bad_request"),
        ({"httpConnectionFailed": {"httpStatusCode": None}}, "x", "provider.unreachable"),
        ({"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, "x", "limit.rate_limited"),
        ({"responseStreamDisconnected": {}}, "x", "provider.connection_lost"),
        ("other", "stream disconnected before completion", "provider.connection_lost"),
        ("other", "Incomplete response returned, reason: max_output_tokens", "incomplete.max_tokens"),
        ("other", "Failed to refresh token: 404 Not Found", "provider.auth_rejected"),
        ("other", "anything", "provider.api_error"),
        (None, "anything", "provider.api_error"),
        (["strange"], "anything", "provider.api_error"),
    ],
)
def test_a_failure_is_named_by_the_clis_own_word(info: object, message: str, code: str) -> None:
    turn = wire.Turn(status="failed", error=wire.TurnError(message=message, codex_error_info=info))
    error = failures.classify(turn, None, 0.0)
    assert error is not None
    assert error.code == code


def test_questions_are_passed_on() -> None:
    line = {
        "id": 7,
        "method": "item/commandExecution/requestApproval",
        "params": {"itemId": "c", "command": "rm -r /", "cwd": "/work", "reason": "to clean"},
    }
    (question,) = parser().events(wire.decode(json.dumps(line).encode()))
    assert isinstance(question, Question)
    assert (question.id, question.tool, question.input["command"], question.call) == (
        "7",
        "shell",
        "rm -r /",
        "c",
    )


def test_news_of_a_subagent_is_not_the_answer() -> None:
    reader = parser()
    reader.thread = "main"
    params = {"threadId": "other", "item": {"type": "agentMessage", "id": "m", "text": "not the answer"}}
    line = {"method": "item/completed", "params": params}
    (message,) = reader.events(wire.decode(json.dumps(line).encode()))
    assert message == Message(text="not the answer", subagent="other")
    end = {
        "method": "turn/completed",
        "params": {"threadId": "main", "turn": {"id": "t", "status": "completed"}},
    }
    (ended,) = reader.events(wire.decode(json.dumps(end).encode()))
    assert isinstance(ended, TurnEnded)
    assert ended.text == ""


def test_what_is_not_known_is_kept() -> None:
    (unknown,) = parser().events(wire.decode(b'{"method": "brand/new", "params": {"a": 1}}'))
    assert unknown == Unknown(raw='{"a": 1}', why="unknown notification `brand/new`")
    (odd,) = parser().events(wire.decode(b'{"method": "turn/completed", "params": {"turn": 3}}'))
    assert isinstance(odd, TurnEnded)
    assert odd.error is not None
    (garbage,) = parser().events(wire.decode(b"no JSON"))
    assert isinstance(garbage, Unknown)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line(data: bytes) -> None:
    assert all(isinstance(event, Event) for event in parser().events(wire.decode(data)))


@given(
    st.sampled_from(
        [
            "turn/started", "turn/completed", "item/started", "item/completed", "item/agentMessage/delta",
            "thread/tokenUsage/updated", "account/rateLimits/updated", "error", "model/rerouted",
            "mcpServer/elicitation/request", "item/fileChange/requestApproval",
        ]
    ),
    JSON,
)  # fmt: skip
def test_any_parameters_give_events(method: str, params: object) -> None:
    line = wire.decode(json.dumps({"id": 1, "method": method, "params": params}).encode())
    assert all(isinstance(event, Event) for event in parser().events(line))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_kinds_of_tokens_do_not_overlap(fresh: int, cached: int, written: int) -> None:
    seen = tokens(
        wire.Tokens(
            input_tokens=fresh + cached + written,
            cached_input_tokens=cached,
            cache_write_input_tokens=written,
        )
    )
    assert (seen.input_tokens, seen.cache_read_tokens, seen.cache_write_5m_tokens) == (fresh, cached, written)


@pytest.mark.parametrize(
    ("minutes", "name"),
    [(300, "five_hour"), (10080, "seven_day"), (43200, "thirty_day"), (60, "60_minutes"), (None, "unknown")],
)
def test_windows_are_named_by_their_length(minutes: int | None, name: str) -> None:
    assert window_name(wire.Window(window_duration_mins=minutes)) == name


def test_limits_of_other_models_have_their_name() -> None:
    limits = wire.RateLimits(limit_id="spark", primary=wire.Window(50, 300, 1e30))
    (reading,) = readings(limits, "x", "now")
    assert (reading.window, reading.used, reading.resets_at) == ("five_hour_spark", 0.5, None)


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, False),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
            False,
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"type": "object"}}},
                "required": ["a"],
                "additionalProperties": False,
            },
            False,
        ),
    ],
)
def test_which_schemas_a_vendor_can_hold(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


def test_progress_is_no_content() -> None:
    (alive,) = parser().events(wire.decode(b'{"method": "thread/status/changed", "params": {}}'))
    assert alive == Progress(state="thread/status/changed")
