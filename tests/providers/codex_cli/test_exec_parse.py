"""Recorded lines of `codex exec --json`, and anything at all, as events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.events import Event, Retry, ToolCall, ToolResult, TurnEnded, Unknown
from oneseat.providers.codex_cli.exec_parse import ExecParser
from oneseat.providers.codex_cli.parse import Setting

DATA = Path(__file__).parents[2] / "data" / "codex"
RECORDED = sorted(path.stem for path in DATA.glob("exec_*.jsonl"))
#: How each recording ends; the others were killed before their end.
ENDS = {
    "exec_ok": None,
    "exec_output_schema": None,
    "exec_file_change": None,
    "exec_tool_command_read_only": None,
    "exec_tool_command_workspace_write": None,
    "exec_model_metadata_warning": None,
    "exec_resume": None,
    "exec_mcp_tool_call": None,
    "exec_empty_output_rc0": None,
    "exec_empty_text_rc0": None,
    "exec_fail_400_model": "provider.api_error",
    "exec_fail_401": "provider.auth_rejected",
    "exec_fail_429_insufficient_quota": "provider.credit_exhausted",
    "exec_fail_429_rate_limit": "limit.rate_limited",
    "exec_fail_429_usage_limit_reached": "limit.window_full",
    "exec_fail_500": "provider.server_error",
    "exec_fail_503_overloaded": "provider.overloaded",
    "exec_fail_context_length": "provider.context_overflow",
    "exec_fail_incomplete": "incomplete.max_tokens",
    "exec_fail_stream_cut": "provider.connection_lost",
    "exec_connection_refused_bounded": "provider.unreachable",
    "exec_idle_timeout": "provider.connection_lost",
    "exec_connection_refused_waits_forever": "killed",
    "exec_hang_default_400s_killed": "killed",
}


def parser() -> ExecParser:
    setting = Setting(
        run_id="r", provider="codex-cli", cwd="/work", now=lambda: 0.0, redact=lambda text: text
    )
    return ExecParser(setting, None, ())


def replay(name: str) -> list[Event]:
    reader = parser()
    lines = (DATA / f"{name}.jsonl").read_bytes().splitlines()
    return [event for line in lines if line for event in reader.events(line)]


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_every_recording_is_looked_at() -> None:
    assert sorted(ENDS) == RECORDED


@pytest.mark.parametrize("name", RECORDED)
def test_how_recordings_end(name: str) -> None:
    events = replay(name)
    assert of(Unknown, events) == []
    ends = of(TurnEnded, events)
    if ENDS[name] == "killed":
        assert ends == []
    else:
        (end,) = ends
        assert (end.error.code if end.error is not None else None) == ENDS[name]


def test_what_comes_again_is_one_answer() -> None:
    assert of(TurnEnded, replay("exec_ok"))[0].text == "Hello from the mock."
    assert len(of(Retry, replay("exec_fail_stream_cut"))) == 5


def test_a_command_is_a_call_and_its_result() -> None:
    events = replay("exec_tool_command_read_only")
    (called,), (ended,) = of(ToolCall, events), of(ToolResult, events)
    assert (called.name, called.id, ended.id, ended.is_error) == ("shell", "item_0", "item_0", False)
    assert "Read-only file system" in ended.text


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line(data: bytes) -> None:
    assert all(isinstance(event, Event) for event in parser().events(data))


@given(
    st.sampled_from(["item.completed", "item.started", "turn.completed", "turn.failed", "error", "new"]),
    st.dictionaries(
        st.sampled_from(["item", "usage", "error", "message", "thread_id"]),
        st.one_of(st.text(), st.integers(), st.dictionaries(st.sampled_from(["type", "id"]), st.text())),
    ),
)
def test_any_fields_give_events(kind: str, fields: dict[str, Any]) -> None:
    line = json.dumps({"type": kind, **fields}).encode()
    assert all(isinstance(event, Event) for event in parser().events(line))
