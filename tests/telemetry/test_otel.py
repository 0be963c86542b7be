"""Traces, by the real SDK and its exporter in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from oneseat.rules.redaction import redact
from oneseat.telemetry.otel import OtelObserver
from oneseat.testing import Answer, Failure, Simulator, Text, ToolRound, ToolUse, write_fake_cli

from .looking_on import environment, run_with


class Traces:
    """A tracer provider of our own with what it exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.observer = OtelObserver(redact, self.provider)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def one(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def traces() -> Traces:
    return Traces()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


async def test_a_run_is_a_trace_of_gate_attempt_and_tools(
    tmp_path: Path, claude_path: Path, simulator: Simulator, traces: Traces
) -> None:
    call = ToolUse("Bash", {"command": "echo a secret plan", "description": "d"})
    simulator.script("bash", [ToolRound(call=call, answer=Answer(content=(Text("the answer"),)))])
    env = environment(tmp_path, claude_path, simulator.url("bash"))
    result = await run_with(env, [traces.observer], tools="Bash")
    assert result.status == "completed", result
    run, gate, attempt = (
        traces.one(name) for name in ("invoke_agent claude-cli", "oneseat.gate", "oneseat.attempt")
    )
    tool = traces.one("execute_tool Bash")
    assert parent_of(run) is None
    assert (parent_of(gate), parent_of(attempt), parent_of(tool)) == (id_of(run), id_of(run), id_of(attempt))
    assert run.kind is SpanKind.CLIENT
    usage = result.receipt.usage
    assert attributes(run) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.agent.name": "claude-cli",
        "gen_ai.response.model": result.receipt.model,
        "gen_ai.usage.input_tokens": (usage.input_tokens or 0)
        + (usage.cache_read_tokens or 0)
        + (usage.cache_write_5m_tokens or 0)
        + (usage.cache_write_1h_tokens or 0),
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_5m_tokens,
        "oneseat.run_id": result.run_id,
        "oneseat.status": "completed",
        "oneseat.wallet": "simulator",
        "oneseat.expected_wallet": "simulator",
        "oneseat.verdict": "verified",
        "oneseat.attempts": 1,
    }
    assert attributes(tool) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "Bash",
        "gen_ai.tool.call.id": attributes(tool)["gen_ai.tool.call.id"],
        "gen_ai.tool.type": "function",
    }
    assert [event.name for event in attempt.events if event.name != "oneseat.limit"] == ["oneseat.sent"]
    assert {event.name for event in attempt.events} == {"oneseat.sent", "oneseat.limit"}
    assert all(span.start_time is not None and span.end_time is not None for span in traces.spans)
    everything = "".join(span.to_json() for span in traces.spans)
    assert not [text for text in ("hello", "the answer", "a secret plan") if text in everything]


async def test_a_run_belongs_to_the_span_its_caller_is_in(tmp_path: Path, traces: Traces) -> None:
    env = environment(tmp_path, write_fake_cli(tmp_path / "claude").path)
    with trace.get_tracer("test", tracer_provider=traces.provider).start_as_current_span("the caller's"):
        await run_with(env, [traces.observer])
    assert parent_of(traces.one("invoke_agent claude-cli")) == id_of(traces.one("the caller's"))


async def test_a_refusal_ends_in_the_gate_with_its_code(tmp_path: Path, traces: Traces) -> None:
    env = environment(tmp_path, write_fake_cli(tmp_path / "claude", "api-key").path)
    result = await run_with(env, [traces.observer])
    assert result.error is not None
    run, gate = traces.one("invoke_agent claude-cli"), traces.one("oneseat.gate")
    assert len(traces.spans) == 2
    for span in (run, gate):
        assert attributes(span)["error.type"] == result.error.code
        assert span.status.status_code is StatusCode.ERROR
    assert attributes(run)["oneseat.verdict"] == "nothing_sent"
    assert "gen_ai.response.model" not in attributes(run)


async def test_repeated_requests_and_denied_tools_are_events_and_open_tools_end(
    tmp_path: Path, claude_path: Path, simulator: Simulator, traces: Traces
) -> None:
    call = ToolUse("Write", {"file_path": str(tmp_path / "x.txt"), "content": "no"})
    simulator.script("write", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))])
    await run_with(
        environment(tmp_path, claude_path, simulator.url("write")), [traces.observer], tools="Write"
    )
    attempt, tool = traces.one("oneseat.attempt"), traces.one("execute_tool Write")
    assert attributes(tool)["error.type"] == "tool_error"
    (denied,) = [event for event in attempt.events if event.name == "oneseat.tool_denied"]
    assert dict(denied.attributes or {}) == {"gen_ai.tool.name": "Write", "oneseat.by": "nobody"}


async def test_a_request_that_the_cli_repeats_is_an_event(
    tmp_path: Path, claude_path: Path, simulator: Simulator, traces: Traces
) -> None:
    overloaded = Failure(status=529, kind="overloaded_error", message="Overloaded")
    simulator.script("once", [overloaded, Answer(content=(Text("ok"),))])
    env = environment(tmp_path, claude_path, simulator.url("once"))
    await run_with(env, [traces.observer])
    (retried,) = [event for event in traces.one("oneseat.attempt").events if event.name == "oneseat.retry"]
    assert dict(retried.attributes or {})["http.response.status_code"] == 529
    assert dict(retried.attributes or {})["oneseat.by"] == "provider"


async def test_each_attempt_of_ours_is_a_span_behind_a_gate_of_its_own(
    tmp_path: Path, traces: Traces
) -> None:
    env = environment(tmp_path, write_fake_cli(tmp_path / "claude", "dies-mid-answer").path)
    result = await run_with(env, [traces.observer])
    attempts = [span for span in traces.spans if span.name == "oneseat.attempt"]
    gates = [span for span in traces.spans if span.name == "oneseat.gate"]
    assert len(attempts) == len(gates) == result.receipt.attempts > 1
    assert {attributes(span)["error.type"] for span in attempts} == {"provider.crashed"}
    assert [attributes(span)["oneseat.attempt"] for span in attempts] == [*range(1, len(attempts) + 1)]
    assert all("error.type" not in attributes(span) for span in gates)
