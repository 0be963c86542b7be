"""OpenTelemetry traces: a span for each run, with spans for the billing gate, each attempt and each tool call.

Names and attributes follow the semantic conventions for generative AI; additional ones begin with ``oneseat.``. No span
contains any part of a prompt or an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider

from oneseat.contract.events import (
    Answered,
    Event,
    LimitSeen,
    ModelFallback,
    Retry,
    SessionRenewed,
    Started,
    ToolCall,
    ToolResult,
    WalletVerified,
)
from oneseat.contract.providers import CATALOGUE
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request
from oneseat.rules.redaction import redact

#: The vendor of each seat: the conventions ask for the vendor, not for the client program.
_VENDORS: dict[str, str | None] = {row.name: row.vendor for row in CATALOGUE if row.kind == "seat"}

#: The names of the spans that every run has; the others are the ids of tool calls.
_RUN, _GATE, _ATTEMPT = "run", "gate", "attempt"

Attributes = Mapping[str, str | int | float | bool | None]


class OtelObserver:
    """Traces every run with ``provider``, the global one by default. ``redact`` removes credentials from a text."""

    def __init__(self, redact: Callable[[str], str] = redact, provider: TracerProvider | None = None) -> None:
        self._redact = redact
        self._provider = provider

    def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> RunTrace:
        """Start the span of a run as a child of the caller's span."""
        # Looked up for each run: a program may set up its tracer provider after it has opened its app.
        tracer = trace.get_tracer("oneseat", tracer_provider=self._provider)
        trunk = Spans(tracer, self._redact)
        trunk.begin(
            _RUN,
            f"invoke_agent {provider}",
            at_ns,
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.provider.name": _VENDORS.get(provider, provider),
                "gen_ai.agent.name": provider,
                "gen_ai.request.model": request.model,
                "oneseat.run_id": run_id,
                "oneseat.project": request.project.name if request.project is not None else None,
            },
            kind=SpanKind.CLIENT,
        )
        trunk.begin(_GATE, "oneseat.gate", at_ns, {}, parent=_RUN)
        return RunTrace(trunk)


class Spans:
    """The open spans of one run by name, started and ended with the times of the events."""

    def __init__(self, tracer: Tracer, redact: Callable[[str], str]) -> None:
        self._tracer = tracer
        self._redact = redact
        self._open: dict[str, Span] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def begin(
        self,
        name: str,
        title: str,
        at_ns: int,
        attributes: Attributes,
        *,
        parent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        """Start a span as a child of ``parent``, or of the caller's span."""
        above = contexts.get_current() if parent is None else trace.set_span_in_context(self._open[parent])
        self._open[name] = self._tracer.start_span(
            self._redact(title), above, kind, self._clean(attributes), start_time=at_ns
        )

    def note(self, name: str, what: str, at_ns: int, attributes: Attributes) -> None:
        """Add an event to an open span."""
        self._open[name].add_event(what, self._clean(attributes), at_ns)

    def end(self, name: str, at_ns: int, attributes: Attributes, error: str | None = None) -> None:
        """End a span, marked as failed if there is an ``error``. Does nothing for a span that is not open."""
        span = self._open.pop(name, None)
        if span is None:
            return
        span.set_attributes(self._clean(attributes))
        if error is not None:
            span.set_attribute("error.type", self._redact(error))
            span.set_status(Status(StatusCode.ERROR))
        span.end(at_ns)

    def tools(self) -> list[str]:
        """The open tool calls, latest first: a nested call ends before its parent."""
        return [name for name in reversed(self._open) if name not in (_RUN, _GATE, _ATTEMPT)]

    def _clean(self, attributes: Attributes) -> dict[str, str | int | float | bool]:
        return {
            name: self._redact(value) if isinstance(value, str) else value
            for name, value in attributes.items()
            if value is not None
        }


class RunTrace:
    """Traces one run in ``spans``, in which the spans of the run and the billing gate are already open."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._attempts = 0
        self._handlers: dict[type[Event], Callable[[Any, int], None]] = {
            WalletVerified: self._cleared,
            SessionRenewed: self._renewed,
            Started: self._started,
            ToolCall: self._called,
            ToolResult: self._returned,
            Answered: self._answered,
            Retry: self._retried,
            ModelFallback: self._fell_back,
            LimitSeen: self._limited,
        }

    def saw(self, event: Event, at_ns: int) -> None:
        """Start, end or annotate a span."""
        handle = self._handlers.get(type(event))
        if handle is not None:
            handle(event, at_ns)

    def ended(self, result: RunResult, at_ns: int) -> None:
        """End every span, the run's with the receipt."""
        receipt, code = result.receipt, result.error.code if result.error is not None else None
        self._spans.end(_GATE, at_ns, {"oneseat.wallet": receipt.wallet}, code)
        self._end_attempt(at_ns, code)
        usage = receipt.usage
        cached = (usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens)
        self._spans.end(
            _RUN,
            at_ns,
            {
                "gen_ai.response.model": receipt.model if receipt.attempts else None,
                "gen_ai.conversation.id": result.session.id if result.session is not None else None,
                # The conventions count tokens read from and written to a cache as input.
                "gen_ai.usage.input_tokens": None
                if usage.input_tokens is None
                else sum(filter(None, (usage.input_tokens, *cached))),
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
                "gen_ai.usage.cache_creation.input_tokens": sum(filter(None, cached[1:])),
                "oneseat.status": result.status,
                "oneseat.wallet": receipt.wallet,
                "oneseat.expected_wallet": receipt.expected_wallet,
                "oneseat.verdict": receipt.verdict,
                "oneseat.attempts": receipt.attempts,
            },
            code,
        )

    def _cleared(self, event: WalletVerified, at_ns: int) -> None:
        self._spans.end(_GATE, at_ns, {"oneseat.wallet": event.wallet})
        self._end_attempt(at_ns, None)
        self._attempts += 1
        self._spans.begin(
            _ATTEMPT, "oneseat.attempt", at_ns, {"oneseat.attempt": self._attempts}, parent=_RUN
        )

    def _end_attempt(self, at_ns: int, error: str | None) -> None:
        for tool in self._spans.tools():
            self._spans.end(tool, at_ns, {})
        self._spans.end(_ATTEMPT, at_ns, {}, error)

    def _note(self, what: str, at_ns: int, attributes: Attributes) -> None:
        self._spans.note(_ATTEMPT if _ATTEMPT in self._spans else _RUN, what, at_ns, attributes)

    def _started(self, event: Started, at_ns: int) -> None:
        self._note("oneseat.sent", at_ns, {"gen_ai.response.model": event.model})

    def _called(self, event: ToolCall, at_ns: int) -> None:
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.name,
            "gen_ai.tool.call.id": event.id,
            "gen_ai.tool.type": "function",
        }
        above = event.subagent or _ATTEMPT
        if event.id and event.id not in self._spans and above in self._spans:
            self._spans.begin(event.id, f"execute_tool {event.name}", at_ns, attributes, parent=above)

    def _returned(self, event: ToolResult, at_ns: int) -> None:
        self._spans.end(event.id, at_ns, {}, "tool_error" if event.is_error else None)

    def _answered(self, event: Answered, at_ns: int) -> None:
        if not event.allowed:
            self._note("oneseat.tool_denied", at_ns, {"gen_ai.tool.name": event.tool, "oneseat.by": event.by})

    def _retried(self, event: Retry, at_ns: int) -> None:
        self._note(
            "oneseat.retry",
            at_ns,
            {
                "oneseat.attempt": event.attempt,
                "oneseat.cause": event.cause,
                "oneseat.delay_s": event.delay_s,
                "http.response.status_code": event.status,
                "oneseat.by": event.by,
            },
        )
        if event.by == "oneseat":
            self._again(event.cause, at_ns, event.delay_s or 0.0)

    def _fell_back(self, event: ModelFallback, at_ns: int) -> None:
        fallback: Attributes = {"gen_ai.request.model": event.fallback, "oneseat.cause": event.cause}
        self._note("oneseat.model_fallback", at_ns, {**fallback, "oneseat.by": event.by})
        if event.by == "oneseat":
            self._again(event.cause, at_ns, 0.0)

    def _again(self, cause: str, at_ns: int, delay_s: float) -> None:
        """An attempt failed: after a pause, the gate decides again."""
        self._end_attempt(at_ns, cause)
        self._spans.end(_GATE, at_ns, {}, cause)
        self._spans.begin(_GATE, "oneseat.gate", at_ns + int(delay_s * 1e9), {}, parent=_RUN)

    def _limited(self, event: LimitSeen, at_ns: int) -> None:
        limit = event.limit
        self._note(
            "oneseat.limit",
            at_ns,
            {
                "oneseat.window": limit.window,
                "oneseat.limit_status": limit.status,
                "oneseat.used": limit.used,
                "oneseat.overage": event.overage,
            },
        )

    def _renewed(self, event: SessionRenewed, at_ns: int) -> None:
        self._note("oneseat.session_renewed", at_ns, {"oneseat.reason": event.reason})
