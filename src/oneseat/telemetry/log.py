"""Logs runs: what happened and how they ended, never prompts or answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from oneseat.contract.events import (
    Answered,
    Event,
    LimitSeen,
    ModelFallback,
    Retry,
    SessionRenewed,
    Started,
    Stderr,
    ToolCall,
    ToolResult,
    Unknown,
    WalletVerified,
)
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request

from .records import EventLog, Field

#: The log entry of an event: level, name, message, fields.
_Entry = tuple[int, str, str, dict[str, Field]]


class LogObserver:
    """Logs every run to an ``EventLog``."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> RunLog:  # noqa: ARG002 - a record has its own time
        """Log the start of a run."""
        run = RunLog(self._log, run_id)
        run.write(
            logging.INFO,
            "run_began",
            f"Run {run_id} began",
            provider=provider,
            model=request.model,
            project=request.project.name if request.project is not None else None,
            tools=",".join(request.tools.names),
            prompt_bytes=len(request.prompt.encode("utf-8", "replace")),
        )
        return run


class RunLog:
    """Logs the events of one run."""

    def __init__(self, log: EventLog, run_id: str) -> None:
        self._log = log
        self._run_id = run_id

    def write(self, level: int, event: str, message: str, **fields: Field) -> None:
        """Write an entry about this run."""
        self._log.write(level, event, message, run_id=self._run_id, **fields)

    def saw(self, event: Event, at_ns: int) -> None:  # noqa: ARG002 - a record has its own time
        """Log an event, if its type is one that is logged."""
        describe = _ENTRY_OF.get(type(event))
        if describe is not None:
            level, name, message, fields = describe(event)
            self.write(level, name, message, **fields)

    def ended(self, result: RunResult, at_ns: int) -> None:  # noqa: ARG002 - a record has its own time
        """Log how the run ended."""
        receipt, error = result.receipt, result.error
        self.write(
            logging.INFO if error is None else logging.WARNING,
            "run_ended",
            f"Run {self._run_id} {result.status}" + (f": {error.code}" if error is not None else ""),
            status=result.status,
            code=error.code if error is not None else None,
            wallet=receipt.wallet,
            verdict=receipt.verdict,
            model=receipt.model,
            attempts=receipt.attempts,
            duration_ms=receipt.duration_ms,
        )


def _cleared(event: WalletVerified) -> _Entry:
    return logging.INFO, "gate_cleared", f"The billing gate cleared {event.wallet}", {"wallet": event.wallet}


def _renewed(event: SessionRenewed) -> _Entry:
    return logging.INFO, "session_renewed", "A new session was started", {"reason": event.reason}


def _sent(event: Started) -> _Entry:
    fields: dict[str, Field] = {"model": event.model, "session_id": event.session_id}
    return logging.INFO, "sent", f"The prompt was accepted by {event.model or 'the model'}", fields


def _retried(event: Retry) -> _Entry:
    fields: dict[str, Field] = {
        "attempt": event.attempt,
        "cause": event.cause,
        "status": event.status,
        "delay_s": event.delay_s,
        "by": event.by,
    }
    return logging.WARNING, "retry", f"Retrying: {event.cause}", fields


def _fell_back(event: ModelFallback) -> _Entry:
    fields: dict[str, Field] = {
        "model": event.model,
        "fallback": event.fallback,
        "cause": event.cause,
        "by": event.by,
    }
    return logging.WARNING, "model_fallback", f"Falling back to {event.fallback}", fields


def _limited(event: LimitSeen) -> _Entry:
    limit = event.limit
    quiet = limit.status in ("allowed", "reported") and not event.overage
    fields: dict[str, Field] = {
        "window": limit.window,
        "status": limit.status,
        "used": limit.used,
        "resets_at": limit.resets_at,
        "overage": event.overage,
    }
    return (
        logging.INFO if quiet else logging.WARNING,
        "limit",
        f"Limit {limit.window}: {limit.status}",
        fields,
    )


def _answered(event: Answered) -> _Entry:
    fields: dict[str, Field] = {"tool": event.tool, "by": event.by}
    if event.allowed:
        return logging.INFO, "tool_allowed", f"Tool {event.tool} was allowed", fields
    return logging.WARNING, "tool_denied", f"Tool {event.tool} was denied", fields


def _called(event: ToolCall) -> _Entry:
    return logging.DEBUG, "tool_called", f"Tool {event.name} was called", {"tool": event.name, "id": event.id}


def _returned(event: ToolResult) -> _Entry:
    return logging.DEBUG, "tool_returned", "A tool returned", {"id": event.id, "is_error": event.is_error}


def _unknown(event: Unknown) -> _Entry:
    return logging.WARNING, "unknown_line", "The provider printed an unknown line", {"why": event.why}


def _stderr(event: Stderr) -> _Entry:
    # Only the length: the text may contain a tool's output.
    fields: dict[str, Field] = {"chars": len(event.text), "cut": event.cut}
    return logging.INFO, "stderr", "The provider wrote to stderr", fields


_ENTRY_OF: dict[type[Event], Callable[[Any], _Entry]] = {
    WalletVerified: _cleared,
    SessionRenewed: _renewed,
    Started: _sent,
    Retry: _retried,
    ModelFallback: _fell_back,
    LimitSeen: _limited,
    Answered: _answered,
    ToolCall: _called,
    ToolResult: _returned,
    Unknown: _unknown,
    Stderr: _stderr,
}
