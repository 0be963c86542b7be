"""Lines that the strict decoders refuse: halves of surrogate pairs, odd fields, and what stands around a line."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat._util import tolerant
from oneseat.contract.events import (
    Event,
    LimitSeen,
    Message,
    Question,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unknown,
)
from oneseat.host.function_calls import call_function
from oneseat.providers.claude_cli import messages
from oneseat.providers.claude_cli import wire as claude_wire
from oneseat.providers.claude_cli.parse import Parser as ClaudeParser
from oneseat.providers.codex_cli import wire as codex_wire
from oneseat.providers.codex_cli.exec_parse import ExecParser
from oneseat.providers.codex_cli.parse import Parser as CodexParser
from oneseat.providers.codex_cli.parse import Setting
from oneseat.rules.inputs.functions import functions_of, tool

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "hello"}
LIMIT = {"status": "rejected", "rateLimitType": "five_hour", "isUsingOverage": True}


def claude(*lines: bytes) -> list[Event]:
    parser = ClaudeParser("run", lambda: 0.0, str)
    return [event for line in claude_wire.decode_all(b"\n".join(lines)) for event in parser.events(line)]


def codex(*lines: bytes) -> list[Event]:
    parser = CodexParser(Setting(run_id="r", provider="codex-cli", cwd="/", now=lambda: 0.0, redact=str))
    return [event for line in codex_wire.decode_all(b"\n".join(lines)) for event in parser.events(line)]


def codex_exec(*lines: bytes) -> list[Event]:
    setting = Setting(run_id="r", provider="codex-cli", cwd="/", now=lambda: 0.0, redact=str)
    parser = ExecParser(setting, None, ())
    return [event for line in lines for event in parser.events(line)]


def assistant(*blocks: Any, **fields: Any) -> bytes:
    return json.dumps({"type": "assistant", "message": {"content": list(blocks)}, **fields}).encode()


def only(kind: type[Event], events: list[Event]) -> Any:
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\ude00", rb"\uDBFF", b"\xed\xa0\xbd", b"\xff"])
def test_half_of_a_pair_hides_nothing_that_claude_does(half: bytes) -> None:
    call = b'{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"Write","input":{"a":"x%s"}}]}}'
    answer = (
        b'{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":"x%s"}]}}'
    )
    question = b'{"type":"control_request","request_id":"q","request":{"subtype":"can_use_tool","input":{"a":"x%s"}}}'
    end = b'{"type":"result","subtype":"success","result":"x%s","structured_output":{"a":"x%s"}}'
    events = claude(call % half, answer % half, question % half, end % (half, half))
    assert only(ToolCall, events).input == {"a": "x�"}
    assert only(ToolResult, events).text == "x�"
    assert only(Question, events).input == {"a": "x�"}
    ended = only(TurnEnded, events)
    assert (ended.text, ended.structured) == ("x�", {"a": "x�"})
    assert not any(isinstance(event, Unknown) for event in events)


@pytest.mark.parametrize("half", [rb"\ud83d", b"\xed\xa0\xbd"])
def test_half_of_a_pair_hides_nothing_that_codex_does(half: bytes) -> None:
    item = b'{"id":"t","type":"commandExecution","command":"x%s","aggregatedOutput":"x%s"}'
    begun = b'{"method":"item/started","params":{"item":%s}}' % item % (half, half)
    ended = b'{"method":"item/completed","params":{"item":%s}}' % item % (half, half)
    asked = b'{"id":7,"method":"item/commandExecution/requestApproval","params":{"command":"x%s"}}' % half
    events = codex(begun, ended, asked)
    assert only(ToolCall, events).input["command"] == "x�"
    assert only(ToolResult, events).text == "x�"
    assert only(Question, events).input == {"command": "x�"}
    said = b'{"type":"item.completed","item":{"id":"1","type":"agent_message","text":"x%s"}}' % half
    assert only(Message, codex_exec(said)).text == "x�"


def test_what_only_looks_like_half_of_a_pair_stays() -> None:
    line = rb'{"type":"result","result":"\\ud83d \ud83d\ude00 \\\ud83d","is_error":false}'
    assert only(TurnEnded, claude(line)).text == "\\ud83d \U0001f600 \\�"


@given(st.text(st.characters(), max_size=20))
def test_any_text_of_a_line_is_read_and_can_be_said_again(text: str) -> None:
    for ascii_only in (True, False):
        line = json.dumps({**RESULT, "result": f"a{text}"}, ensure_ascii=ascii_only)
        whole = only(TurnEnded, claude(line.encode("utf-8", "surrogatepass"))).text
        assert whole.encode()
    assert json.loads(messages.permission("q", {"a": text}, text))


def test_a_function_that_returns_or_raises_half_of_a_pair_is_answered() -> None:
    def fails() -> str:
        """What a model asks for."""
        raise ValueError("half \ud83d")

    def text() -> str:
        """What a model asks for."""
        return "half \ud83d"

    def fields() -> dict[str, str]:
        """What a model asks for."""
        return {"a": "half \ud83d"}

    functions = functions_of([tool(text), tool(fields), tool(fails)])
    returned = [asyncio.run(call_function(each, {}, str)) for each in functions]
    assert [each.is_error for each in returned] == [False, False, True]
    assert [each.text for each in returned] == ["half �", '{"a":"half �"}', "ValueError: half �"]


@pytest.mark.parametrize(
    "odd",
    [
        {"unifiedWindows": None},
        {"resetsAt": "2026-12-01T12:00:00Z"},
        {"utilization": "a lot"},
        {"status": {"is": "new"}},
        {"isUsingOverage": "yes"},
        {"isUsingOverage": {"amount": 3}},
        {"isUsingOverage": 1.0},
        {"overageInUse": []},
        {"unifiedWindows": [1], "rateLimitType": 5},
    ],
)
def test_extra_usage_is_seen_whatever_else_the_line_says(odd: dict[str, Any]) -> None:
    line = json.dumps({"type": "rate_limit_event", "rate_limit_info": LIMIT | odd}).encode()
    assert only(LimitSeen, claude(line)).overage is True


@given(st.sampled_from(claude_wire.ResultLine.__struct_fields__), ANY)
def test_a_result_ends_the_turn_whatever_a_field_holds(name: str, value: Any) -> None:
    line = json.dumps(RESULT | {name: value}).encode("utf-8", "surrogatepass")
    assert [type(event) for event in claude(line)][-1] is TurnEnded


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"is_error": "true", "subtype": "success"}, "provider.api_error"),
        ({"is_error": None, "subtype": "error_during_execution"}, "provider.execution_error"),
        ({"errors": [{"message": "boom"}], "is_error": True, "subtype": "x"}, "provider.api_error"),
        ({"is_error": None}, None),
        ({"total_cost_usd": float("nan")}, None),
    ],
)
def test_an_odd_result_fails_as_it_says(odd: dict[str, Any], code: str | None) -> None:
    error = only(TurnEnded, claude(json.dumps(RESULT | odd).encode())).error
    assert (error.code if error is not None else None) == code


@pytest.mark.parametrize(
    "block",
    [
        {"is_error": "no"},
        {"id": 7},
        {"text": {"a": 1}},
        {"input": json.loads("[" * 900 + "]" * 900)},
        {"name": ["Write"]},
    ],
)
def test_a_call_is_seen_whatever_a_field_holds(block: dict[str, Any]) -> None:
    call = {"type": "tool_use", "id": "t", "name": "Write", "input": {}} | block
    beside = {"type": "text", "text": 5}
    seen = only(ToolCall, claude(assistant(beside, call, "not a block", usage="odd")))
    assert seen.name == "Write"


def test_a_question_is_seen_whatever_a_field_holds() -> None:
    odd = {
        "subtype": "can_use_tool",
        "tool_name": "Bash",
        "input": "x",
        "blocked_path": ["a"],
        "description": 5,
    }
    line = json.dumps({"type": "control_request", "request_id": "q", "request": odd}).encode()
    assert only(Question, claude(line)).id == "q"
    params = {"command": ["rm", "x"], "reason": {"a": 1}, "threadId": 5}
    asked = {"id": 7, "method": "item/commandExecution/requestApproval", "params": params, "error": "x"}
    assert only(Question, codex(json.dumps(asked).encode())).id == "7"


def test_codex_ends_and_acts_whatever_a_field_holds() -> None:
    item = {"id": 4, "type": "commandExecution", "command": ["ls"], "exitCode": "x", "changes": None}
    events = codex(json.dumps({"method": "item/started", "params": {"item": item}}).encode())
    assert only(ToolCall, events).name == "shell"
    turn = {"id": None, "status": "completed", "error": None}
    end = {"method": "turn/completed", "params": {"turn": turn, "threadId": {"a": 1}}}
    assert only(TurnEnded, codex(json.dumps(end).encode())).error is None
    line = {"type": "turn.completed", "usage": {"input_tokens": "many", "output_tokens": 4}, "item": 3}
    assert only(TurnEnded, codex_exec(json.dumps(line).encode())).usage.output_tokens == 4


def test_codex_pays_whatever_a_field_holds() -> None:
    limits = {
        "primary": {"usedPercent": "100", "resetsAt": {}},
        "credits": {"hasCredits": "yes"},
        "planType": 4,
    }
    line = json.dumps({"method": "account/rateLimits/updated", "params": {"rateLimits": limits}}).encode()
    assert only(LimitSeen, codex(line)).overage is True


@pytest.mark.parametrize(
    "around",
    [
        "\ufeff%s",
        "\x1b[0m%s\x1b[K\r",
        "\x1b]0;title\x07%s",
        "npm notice {1} new: %s",
        "%s done",
        "%s\x00",
        "\t%s ",
    ],
)
def test_what_stands_around_a_line_costs_nothing(around: str) -> None:
    line = (around % json.dumps(RESULT)).encode()
    assert only(TurnEnded, claude(line)).text == "hello"
    begun = {"method": "item/started", "params": {"item": {"type": "fileChange"}}}
    assert only(ToolCall, codex((around % json.dumps(begun)).encode())).name == "apply_patch"
    assert only(TurnEnded, codex_exec((around % '{"type":"turn.completed"}').encode())).error is None


def test_several_values_on_a_line_are_several_lines() -> None:
    call = assistant({"type": "tool_use", "id": "t", "name": "Write", "input": {}})
    events = claude(call + json.dumps(RESULT).encode(), b'{"type":"keep_alive"}')
    assert [type(event) for event in events[:2]] == [ToolCall, TurnEnded]


@pytest.mark.parametrize("cut", range(1, 120, 3))
def test_what_a_broken_line_quotes_is_no_line(cut: int) -> None:
    quoted = assistant(
        {"type": "tool_use", "id": "t", "name": "Write", "input": {**RESULT, "more": "x" * 100}}
    )
    assert not any(isinstance(event, TurnEnded) for event in claude(quoted[:-cut]))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert tolerant.mended(data).decode() is not None
    assert isinstance(tolerant.find_objects(data).objects, list)
    assert all(isinstance(event, Event) for event in (*claude(data), *codex(data), *codex_exec(data)))


@given(ANY, st.sampled_from([*claude_wire._BY_TAG.values(), codex_wire.Envelope]))
def test_any_object_is_read_without_an_error(value: Any, kind: type[msgspec.Struct]) -> None:
    fields = dict.fromkeys(kind.__struct_fields__, value)
    text = json.dumps(fields).encode("utf-8", "surrogatepass")
    assert isinstance(tolerant.read(tolerant.find_objects(text).objects[0], kind), kind)
