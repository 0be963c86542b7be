"""Recorded streams of the real CLI, and arbitrary bytes, through the parser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.contract.events import (
    Event,
    LimitSeen,
    Message,
    ModelFallback,
    Progress,
    Retry,
    Started,
    TextDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unknown,
    UsageSeen,
)
from oneseat.host.processes.lines import lines_of
from oneseat.providers.claude_cli import wire
from oneseat.providers.claude_cli.parse import Parser, tokens

DATA = Path(__file__).parents[2] / "data" / "claude"
STREAMS = sorted(p for p in DATA.glob("*.jsonl") if not p.name.startswith(("auth-matrix", "transcript-")))
NOW = 1795170000.0


def replay(name: str) -> list[Event]:
    parser = Parser("run", lambda: NOW, lambda text: text)
    return [e for line in (DATA / name).read_bytes().splitlines() for e in parser.events(wire.decode(line))]


def ends(events: Iterable[Event]) -> list[TurnEnded]:
    return [event for event in events if isinstance(event, TurnEnded)]


@pytest.mark.parametrize("path", STREAMS, ids=lambda p: p.stem)
def test_every_recorded_line_becomes_an_event(path: Path) -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    for line in path.read_bytes().splitlines():
        events = list(parser.events(wire.decode(line)))
        assert events, line[:200]
        is_object = line.startswith(b"{")
        unknown = [event for event in events if isinstance(event, Unknown)]
        # Every line of these versions is known; the one array was recorded in another output format.
        assert bool(unknown) is not is_object, unknown


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ok", None),
        ("tool-use", None),
        ("fail-e500x2", None),
        ("fail-e529x3-fallback", None),
        ("structured-ok", None),
        ("creds-valid-401", "provider.auth_rejected"),
        ("fail-429-apikey", "limit.rate_limited"),
        ("fail-ctxwin", "incomplete.context_window"),
        ("fail-e400", "provider.bad_request"),
        ("fail-e400credit", "provider.credit_exhausted"),
        ("fail-e400long", "provider.context_overflow"),
        ("fail-e401", "provider.auth_rejected"),
        ("fail-e401exp", "provider.auth_rejected"),
        ("fail-e401rev", "provider.auth_rejected"),
        ("fail-e401x", "provider.signed_out"),
        ("fail-e403", "provider.auth_rejected"),
        ("fail-e404", "provider.model_not_found"),
        ("fail-e413", "provider.request_too_large"),
        ("fail-e429", "limit.rate_limited"),
        ("fail-e429ra", "limit.rate_limited"),
        ("fail-e429opus", "limit.seven_day_opus"),
        ("fail-e429uni", "limit.five_hour"),
        ("fail-e429uni7", "limit.seven_day"),
        ("fail-e500", "provider.server_error"),
        ("fail-e503", "provider.server_error"),
        ("fail-e529", "provider.overloaded"),
        ("fail-hang-timeout5s", "provider.api_timeout"),
        ("fail-html200", "provider.api_error"),
        ("fail-maxtok", "incomplete.max_tokens"),
        ("fail-noserver", "provider.unreachable"),
        ("fail-refusal", "incomplete.refused"),
        ("fail-resetpre", "provider.unreachable"),
        ("fail-resume-unknown", "provider.session_lost"),
        ("fail-resume-other-cwd", "provider.session_lost"),
        ("fail-sseerr", "provider.overloaded"),
        ("interrupt-control", "provider.interrupted"),
        ("max-budget", "budget.reached"),
        ("max-turns", "budget.turns_reached"),
        ("structured-bad", "incomplete.schema_unmet"),
    ],
)
def test_each_recorded_end_has_its_code(name: str, code: str | None) -> None:
    error = ends(replay(f"{name}.jsonl"))[0].error
    assert (error.code if error is not None else None) == code


def test_a_full_window_says_when_it_resets() -> None:
    error = ends(replay("fail-e429uni.jsonl"))[0].error
    assert error is not None
    assert (error.whose_turn, error.retry_after_s) == ("wait", 6862.0)
    assert "five-hour window is full" in error.message


def test_a_plain_rate_limit_invents_no_reset_time() -> None:
    error = ends(replay("fail-e429ra.jsonl"))[0].error
    assert error is not None
    assert error.retry_after_s is None


def test_the_text_of_a_failure_is_not_the_answer() -> None:
    assert ends(replay("fail-e401.jsonl"))[0].text == ""


def test_what_was_received_before_a_failure_is_kept() -> None:
    assert ends(replay("fail-sseerr.jsonl"))[0].text == "partial "


def test_an_interrupted_turn_reports_no_money_instead_of_zero() -> None:
    ended = ends(replay("interrupt-control.jsonl"))[0]
    assert (ended.usage, ended.list_cost_usd) == (None, None)


def test_the_answer_after_a_tool_is_not_joined_with_what_came_before() -> None:
    events = replay("tool-use.jsonl")
    assert ends(events)[0].text == "ok from mock"
    assert next(e.text for e in events if isinstance(e, Message)) == "using tool"
    assert any(isinstance(e, ToolCall) and e.name == "Bash" for e in events)
    assert any(isinstance(e, ToolResult) and e.text == "hello" for e in events)


def test_streamed_text_is_the_answer_when_the_result_is_empty() -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    lines = [
        {"type": "assistant", "message": {"id": "m", "content": [{"type": "text", "text": "streamed"}]}},
        {"type": "result", "subtype": "success", "is_error": False, "result": ""},
    ]
    events = [e for line in lines for e in parser.events(wire.decode(json.dumps(line).encode()))]
    assert ends(events)[0].text == "streamed"


def test_text_that_was_never_streamed_is_the_answer() -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    line = {"type": "result", "subtype": "success", "is_error": False, "result": "only here"}
    assert ends(parser.events(wire.decode(json.dumps(line).encode())))[0].text == "only here"


def test_an_answer_that_was_cut_and_continued_is_whole() -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    lines = [
        {"type": "assistant", "message": {"id": "m1", "content": [{"type": "text", "text": "first half, "}]}},
        {
            "type": "user",
            "isSynthetic": True,
            "message": {"content": [{"type": "text", "text": "Resume directly"}]},
        },
        {"type": "assistant", "message": {"id": "m2", "content": [{"type": "text", "text": "second half"}]}},
        {"type": "result", "subtype": "success", "is_error": False, "result": "second half"},
    ]
    events = [e for line in lines for e in parser.events(wire.decode(json.dumps(line).encode()))]
    assert ends(events)[0].text == "first half, second half"


def test_an_answer_that_was_asked_for_again_replaces_the_first_one() -> None:
    def message(text: str) -> list[dict[str, object]]:
        return [
            {"type": "stream_event", "event": {"type": "message_start"}},
            {"type": "assistant", "message": {"id": text, "content": [{"type": "text", "text": text}]}},
            {
                "type": "stream_event",
                "event": {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            },
        ]

    parser = Parser("run", lambda: NOW, lambda text: text)
    failed = {"type": "result", "subtype": "success", "is_error": True, "result": "API Error"}
    lines = [*message("once"), *message("twice"), failed]
    events = [e for line in lines for e in parser.events(wire.decode(json.dumps(line).encode()))]
    assert ends(events)[0].text == "twice"


@pytest.mark.parametrize("cost", [0, 0.0004])  # 2.1.329 knows a part of the cost and no token
def test_a_turn_that_broke_off_after_it_streamed_does_not_claim_to_have_cost_nothing(cost: float) -> None:
    lines = [
        {"type": "stream_event", "event": {"type": "message_start"}},
        {
            "type": "result",
            "subtype": "success",
            "is_error": True,
            "result": "API Error",
            "total_cost_usd": cost,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
    ]
    parser = Parser("run", lambda: NOW, lambda text: text)
    events = [e for line in lines for e in parser.events(wire.decode(json.dumps(line).encode()))]
    assert (ends(events)[0].usage, ends(events)[0].list_cost_usd) == (None, None)


def test_a_failure_before_anything_was_streamed_cost_nothing() -> None:
    ended = ends(replay("fail-e401.jsonl"))[0]
    assert ended.usage is not None
    assert (ended.usage.input_tokens, ended.list_cost_usd) == (0, 0)


def test_a_result_that_was_never_streamed_is_the_answer() -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    line = {"type": "result", "subtype": "success", "is_error": False, "result": "only here"}
    assert ends(parser.events(wire.decode(json.dumps(line).encode())))[0].text == "only here"


def test_every_window_of_a_report_is_read() -> None:
    info = {
        "status": "allowed",
        "resetsAt": 1795176316,
        "rateLimitType": "five_hour",
        "isUsingOverage": False,
        "unifiedWindows": {
            "five_hour": {"utilization": 0.12, "resetsAt": 1795176316},
            "seven_day": {"utilization": 0.34, "resetsAt": 1795276316},
        },
    }
    parser = Parser("run", lambda: NOW, lambda text: text)
    events = parser.events(
        wire.decode(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode())
    )
    seen = {e.limit.window: (e.limit.status, e.limit.used) for e in events if isinstance(e, LimitSeen)}
    assert seen == {"five_hour": ("allowed", 0.12), "seven_day": ("reported", 0.34)}


@pytest.mark.parametrize("share", [1.0, 1.04, 2.5])
def test_a_window_above_full_keeps_its_share(share: float) -> None:
    info = {"status": "allowed_warning", "resetsAt": 1795176316, "utilization": share}
    info |= {"rateLimitType": "five_hour", "unifiedWindows": {"seven_day": {"utilization": share}}}
    parser = Parser("run", lambda: NOW, lambda text: text)
    line = json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode()
    seen = [event.limit.used for event in parser.events(wire.decode(line)) if isinstance(event, LimitSeen)]
    assert seen == [share, share]


def test_overage_is_seen() -> None:
    overages = [e.overage for e in replay("ratelimit-overage.jsonl") if isinstance(e, LimitSeen)]
    assert overages
    assert overages[-1] is True


def test_a_warning_carries_the_share_and_anything_else_none() -> None:
    warned = [e.limit for e in replay("ratelimit-warn5.jsonl") if isinstance(e, LimitSeen)]
    assert warned[0].used == 0.93
    allowed = [e.limit for e in replay("ok.jsonl") if isinstance(e, LimitSeen)]
    assert (allowed[0].used, allowed[0].window, allowed[0].resets_at) == (
        None,
        "five_hour",
        "2026-11-20T12:05:16Z",
    )


def test_retries_of_the_cli_are_events() -> None:
    retry = next(e for e in replay("fail-e529.jsonl") if isinstance(e, Retry))
    assert (retry.attempt, retry.max_attempts, retry.status, retry.cause) == (1, 10, 529, "overloaded")


def test_the_start_names_its_key_source_and_tools() -> None:
    started = next(e for e in replay("ok.jsonl") if isinstance(e, Started))
    assert started.api_key_source == "none"
    assert "Bash" in started.tools


def test_text_deltas_come_one_by_one() -> None:
    assert [e.text for e in replay("interrupt-control.jsonl") if isinstance(e, TextDelta)][:1] == ["w0 "]


def test_a_streamed_message_is_metered_when_it_begins_and_when_it_ends() -> None:
    begin, end = (e for e in replay("partial-thinking.jsonl") if isinstance(e, UsageSeen))
    assert (begin.message_id, begin.model, begin.stop_reason) == ("msg_0002", "claude-sonnet-5", None)
    assert begin.usage.cache_write_5m_tokens == 100
    assert (end.message_id, end.stop_reason, end.usage.output_tokens) == ("msg_0002", "end_turn", 5)
    # The server does not repeat what it was sent.
    assert end.usage.input_tokens == begin.usage.input_tokens == 10


def test_a_message_that_was_not_streamed_is_metered_all_the_same() -> None:
    seen = {e.message_id for e in replay("max-turns.jsonl") if isinstance(e, UsageSeen)}
    assert seen == {"msg_0466", "msg_0467"}


def test_what_is_written_out_of_sight_is_measured() -> None:
    thought = [e.thinking_tokens for e in replay("partial-thinking.jsonl") if isinstance(e, Progress)]
    assert sum(thought) == 4
    piece = {"type": "input_json_delta", "partial_json": '{"a": "é"}'}
    line = {"type": "stream_event", "event": {"type": "content_block_delta", "index": 0, "delta": piece}}
    parser = Parser("run", lambda: NOW, lambda text: text)
    (event,) = parser.events(wire.decode(json.dumps(line).encode()))
    assert event == Progress(state="content_block_delta", tool_input_bytes=11)


def test_a_subagents_message_is_metered_as_its_own() -> None:
    message = {
        "id": "m9",
        "model": "claude-haiku-5-5",
        "content": [{"type": "thinking", "thinking": "x" * 300}, {"type": "text", "text": "hi"}],
        "usage": {"input_tokens": 7, "output_tokens": 1},
    }
    line = {"type": "assistant", "message": message, "parent_tool_use_id": "t1"}
    parser = Parser("run", lambda: NOW, lambda text: text)
    seen, thought, said = parser.events(wire.decode(json.dumps(line).encode()))
    assert isinstance(seen, UsageSeen)
    assert (seen.message_id, seen.model, seen.subagent) == ("m9", "claude-haiku-5-5", "t1")
    assert isinstance(thought, Progress)
    assert (thought.thinking_tokens, said) == (100, Message(text="hi", subagent="t1"))


def test_cache_writes_without_a_split_count_as_five_minutes() -> None:
    usage = wire.Usage(cache_creation_input_tokens=100, cache_creation={"ephemeral_1h_input_tokens": 0})
    assert (tokens(usage).cache_write_5m_tokens, tokens(usage).cache_write_1h_tokens) == (100, 0)
    usage = wire.Usage(cache_creation_input_tokens=100, cache_creation={"ephemeral_1h_input_tokens": 60})
    assert (tokens(usage).cache_write_5m_tokens, tokens(usage).cache_write_1h_tokens) == (40, 60)


def test_unknown_tokens_stay_unknown() -> None:
    assert tokens(wire.Usage()).input_tokens is None
    assert tokens(wire.Usage()).cache_write_5m_tokens is None


_LINES = st.sampled_from(
    [
        b'{"type":"keep_alive"}',
        b'{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}}',
        b'{"type":"user","message":{"content":[{"type":"tool_result","content":"page"}]}}\r',
        b'{"type":"brand_new"}',
        b'{"type":"result","is_error":3}',
        b"no JSON",
        b'{"a":' * 2000,
        b"\r",
        b"",
    ]
)


@given(st.lists(_LINES, min_size=1))
def test_a_block_of_lines_means_what_each_of_them_means(lines: list[bytes]) -> None:
    block = b"\n".join(lines)
    each = [list(wire.decode_all(line)) for line in lines_of(block)]
    assert list(wire.decode_all(block)) == [known for line in each for known in line]
    # What is not read to the last field is said to be so, and comes first.
    assert [line[0] for line in each] == [wire.decode(line) for line in lines_of(block)]


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_no_bytes_can_break_the_parser(line: bytes) -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    assert list(parser.events(wire.decode(line)))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_KINDS = [
    "assistant",
    "user",
    "system",
    "result",
    "stream_event",
    "rate_limit_event",
    "control_request",
    "new_thing",
]
_FIELDS = [
    "message",
    "subtype",
    "event",
    "rate_limit_info",
    "result",
    "is_error",
    "usage",
    "errors",
    "request",
    "modelUsage",
]


@given(st.sampled_from(_KINDS), st.dictionaries(st.sampled_from(_FIELDS), _JSON))
@settings(max_examples=200)
def test_no_shape_can_break_the_parser(kind: str, fields: dict[str, object]) -> None:
    parser = Parser("run", lambda: NOW, lambda text: text)
    line = json.dumps({"type": kind, **fields}).encode("utf-8", "surrogatepass")
    assert list(parser.events(wire.decode(line)))


def test_a_secret_in_an_unknown_line_is_redacted() -> None:
    parser = Parser("run", lambda: NOW, lambda text: text.replace("hush", "***"))
    (event,) = parser.events(wire.decode(b'{"type":"brand_new","key":"hush"}'))
    assert isinstance(event, Unknown)
    assert event.raw == '{"type":"brand_new","key":"***"}'
    assert event.why == "unknown line type `brand_new`"


def test_a_model_that_the_cli_replaces_by_itself_is_said() -> None:
    assert [e for e in replay("fail-e529x3-fallback.jsonl") if isinstance(e, ModelFallback)] == [
        ModelFallback(model="claude-sonnet-5", fallback="claude-haiku-4-5", cause="overloaded", by="provider")
    ]
