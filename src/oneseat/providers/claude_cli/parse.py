"""Known lines to events. The parser never sees a process; the process never sees an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from oneseat._util.time import iso_reported
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import (
    Event,
    LimitSeen,
    Message,
    ModelFallback,
    Progress,
    Question,
    Retry,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unknown,
    UsageSeen,
)
from oneseat.contract.receipt import MOST_TOKENS, LimitReading, TokenUsage, share_or_none
from oneseat.providers.cli_common.lines import Undecoded
from oneseat.providers.failures import ATTACHMENT_REFUSED

from . import failures, wire
from .tasks import Tasks

#: How much of an unknown line an event carries.
_KEPT_RAW = 64 * 1024
_LONGEST_CREDENTIAL = 4096
#: System lines that say only that the CLI is alive and what it is doing.
_PROGRESS = {
    "status",
    "thinking_tokens",
    "commands_changed",
    "hook_started",
    "hook_response",
    "task_progress",
    "background_tasks_changed",
    "model_refusal_no_fallback",
    "compact_boundary",
    "session_state_changed",
    "ui_invalidate",
}

#: The kinds of notice after which the CLI asks again without a file of the prompt.
_REMOVED = frozenset({"media_removed", "pdf_too_large", "pdf_password_protected"})
#: How a message ends that is not cut.
_WHOLE = {"end_turn", "stop_sequence", "refusal"}
#: How many bytes of thinking are a token at least.
_BYTES_PER_TOKEN = 3
_ALIVE = (Progress(state="alive"),)


class Parser:
    """Turns the lines of one turn into events, keeping what the result line must be judged against.

    ``now`` gives seconds since the epoch; ``hide`` takes what must not be repeated out of the results of tools. ``limit`` is
    the last one that the CLI reported, perhaps in an earlier turn.
    """

    def __init__(
        self,
        run_id: str,
        now: Callable[[], float],
        redact: Callable[[str], str],
        hide: Callable[[str], str] = str,
    ) -> None:
        self.limit: wire.RateLimitInfo | None = None
        self._run_id = run_id
        self._now = now
        self._redact = redact
        self._hide = hide
        self._error_class: str | None = None
        self._removed: str | None = None
        self._called = False
        self._main_text: list[str] = []
        self._last_was_whole = False
        self._streamed = False
        self._metered: UsageSeen | None = None
        self._model: str | None = None
        self._tasks = Tasks()
        self._handlers: dict[type[wire.Line], Callable[[Any], Iterable[Event]]] = {
            wire.StreamEvent: lambda line: (self.piece(line),),
            wire.AssistantLine: self._assistant,
            wire.UserLine: self._tool_results,
            wire.SystemLine: self._system,
            wire.RateLimitLine: self._limit,
            wire.ResultLine: self._result,
            wire.ControlRequest: self._asked,
            wire.ControlResponse: lambda _: _ALIVE,
            wire.ControlCancel: lambda _: _ALIVE,
            wire.KeepAlive: lambda _: _ALIVE,
            wire.Lifecycle: lambda _: _ALIVE,
        }

    def events(self, line: wire.KnownLine | Undecoded) -> Iterable[Event]:
        """The events that one line means; none for control traffic, which belongs to the provider."""
        if isinstance(line, Undecoded):
            return (self.unknown(line.raw, line.why),)
        return self._handlers[type(line)](line)

    def unknown(self, raw: bytes, why: str) -> Unknown:
        """An event for a line that means nothing to this version; redacted and cut, never dropped."""
        # Redacted first, with what follows: half a credential would not be recognised.
        text = self._redact(raw[: _KEPT_RAW + _LONGEST_CREDENTIAL].decode("utf-8", "replace"))
        return Unknown(raw=text[:_KEPT_RAW], why=why)

    def piece(self, line: wire.StreamEvent) -> Event:
        """The one event that a piece of an answer in progress means."""
        event = line.event
        delta = event.delta
        if line.parent_tool_use_id is not None:
            return Progress(state="subagent")
        if delta is None:
            return self._begin(event)
        if delta.text:
            return TextDelta(text=delta.text)
        if delta.thinking:
            return ThinkingDelta(text=delta.thinking)
        if delta.stop_reason is not None:
            return self._stopped(event, delta.stop_reason)
        return Progress(state=event.type or "stream", tool_input_bytes=_size(delta.partial_json))

    def _stopped(self, event: wire.SseEvent, stop_reason: str) -> Event:
        self._last_was_whole = stop_reason in _WHOLE
        if self._metered is None:
            return Progress(state=event.type)
        # The server counts here what it wrote; what it was sent, it need not repeat.
        read = tokens(event.usage) if event.usage is not None else TokenUsage()
        told = {name: value for name, value in msgspec.structs.asdict(read).items() if value is not None}
        usage = msgspec.structs.replace(self._metered.usage, **told)
        return msgspec.structs.replace(self._metered, usage=usage, stop_reason=stop_reason)

    def _begin(self, event: wire.SseEvent) -> Event:
        if event.type != "message_start":
            return Progress(state=event.type or "stream")
        self._streamed = True
        # A message that follows a whole one is another answer (the CLI asked again, or a further turn); one that follows a
        # cut one goes on with it.
        if self._last_was_whole:
            self._main_text.clear()
            self._last_was_whole = False
        message, self._metered = event.message, None
        if message is None or message.usage is None:
            return Progress(state=event.type)
        self._metered = UsageSeen(message_id=message.id, usage=tokens(message.usage), model=message.model)
        return self._metered

    def _assistant(self, line: wire.AssistantLine) -> Iterable[Event]:
        message, subagent = line.message, line.parent_tool_use_id
        if line.error is not None or line.api_error is not None:
            # A failure dressed as a message: its text is the CLI's, not the model's, and must not become the answer.
            self._error_class = line.error or "unknown"
            said = _flatten_blocks(message.content)
            # 2.1.197 does not name the kind of its notice.
            removed = line.api_error in _REMOVED or (line.api_error is None and "was removed" in said)
            if removed and subagent is None and not self._called:
                # What is removed after a tool call is what the tool has read; the model is told so, and can read it again.
                self._removed = said
            return (Progress(state=f"error:{self._error_class}"),)
        events: list[Event] = list(self._usage(message, subagent))
        for block in message.content if isinstance(message.content, list) else ():
            if block.type == "text" and block.text:
                if subagent is None:
                    self._main_text.append(block.text)
                events.append(Message(text=block.text, subagent=subagent))
            elif block.type == "tool_use":
                # What the model says before a tool call is not the answer; consecutive messages are one (a cut answer goes on).
                self._main_text.clear()
                self._called = self._called or subagent is None
                arguments = block.input if isinstance(block.input, dict) else {"value": block.input}
                events.append(
                    ToolCall(id=block.id or "", name=block.name or "", input=arguments, subagent=subagent)
                )
            elif block.type == "thinking" and subagent is not None:
                # A subagent's messages come whole; what it thought is not shown, and is paid for all the same.
                thought = _size(block.thinking) // _BYTES_PER_TOKEN
                events.append(Progress(state="subagent", thinking_tokens=thought))
        return events or (Progress(state="assistant"),)

    def _usage(self, message: wire.ApiMessage, subagent: str | None) -> Iterable[Event]:
        if message.usage is None or message.model == "<synthetic>":
            return ()
        self._model = message.model if subagent is None else self._model
        if self._metered is not None and self._metered.message_id == message.id:
            return ()
        usage = tokens(message.usage)
        return (UsageSeen(message_id=message.id, usage=usage, model=message.model, subagent=subagent),)

    def _tool_results(self, line: wire.UserLine) -> Iterable[Event]:
        content = line.message.content
        results = [
            ToolResult(
                id=block.tool_use_id or "",
                text=self._hide(_flatten(block.content)),
                is_error=bool(block.is_error),
            )
            for block in (content if isinstance(content, list) else ())
            if block.type == "tool_result"
        ]
        return results or (Progress(state="user"),)

    def _asked(self, line: wire.ControlRequest) -> Iterable[Event]:
        asked = line.request
        if asked.subtype != "can_use_tool":
            return (Progress(state=f"asked:{asked.subtype}"),)
        why = asked.blocked_path or asked.description
        arguments = asked.input if isinstance(asked.input, dict) else {"value": asked.input}
        return (
            Question(
                id=line.request_id,
                tool=asked.tool_name or "",
                input=arguments,
                why=why,
                call=asked.tool_use_id,
            ),
        )

    def _system(self, line: wire.SystemLine) -> Iterable[Event]:
        if line.subtype == "init":
            started = Started(
                run_id=self._run_id,
                provider="claude-cli",
                model=line.model,
                cwd=line.cwd or "",
                session_id=line.session_id,
                tools=tuple(line.tools),
                mcp_servers=tuple(f"{server.name}:{server.status}" for server in line.mcp_servers),
                api_key_source=self._redact(line.api_key_source)
                if line.api_key_source
                else line.api_key_source,
            )
            return (started,)
        if line.subtype == "api_retry":
            delay = line.retry_delay_ms / 1000 if line.retry_delay_ms is not None else None
            retry = Retry(
                attempt=line.attempt or 0,
                max_attempts=line.max_retries,
                delay_s=delay,
                status=line.error_status,
                cause=line.error or "unknown",
            )
            return (retry,)
        if line.subtype == "model_fallback" and line.fallback_model is not None:
            fallback = ModelFallback(
                model=line.original_model,
                fallback=line.fallback_model,
                cause=line.trigger or "unknown",
                by="provider",
            )
            return (fallback,)
        if self._tasks.take(line) or line.subtype in _PROGRESS:
            thought = line.estimated_tokens_delta or 0
            return (Progress(state=line.status or line.subtype, thinking_tokens=max(0, thought)),)
        return (Unknown(raw=f"system/{line.subtype}", why=f"unknown system line `{line.subtype}`"),)

    def _limit(self, line: wire.RateLimitLine) -> Iterable[Event]:
        info = self.limit = line.rate_limit_info
        used = info.utilization
        windows = info.unified_windows
        named = info.rate_limit_type or "unknown"
        if used is None and named in windows:
            used = windows[named].utilization
        seen = [self._window(named, info.status, used, info.resets_at)]
        seen += [
            self._window(name, "reported", window.utilization, window.resets_at)
            for name, window in windows.items()
            if name != named
        ]
        overage = info.overage_in_use or info.is_using_overage
        return [LimitSeen(limit=reading, overage=overage) for reading in seen]

    def _window(self, name: str, status: str, used: float | None, resets_at: float | None) -> LimitReading:
        return LimitReading(
            window=name,
            status=status,
            used=share_or_none(used),
            resets_at=iso_reported(resets_at),
            source="rate_limit_event",
            read_at=iso_reported(self._now()) or "",
        )

    def _result(self, line: wire.ResultLine) -> Iterable[Event]:
        # The result names only the last piece of an answer that was cut and continued, and can be empty although text came:
        # what was received is the answer wherever the result is the end of it.
        error = failures.classify(line, self._error_class, self.limit, self._now())
        streamed = "".join(self._main_text)
        text = streamed
        if error is None and not streamed.endswith(line.result or ""):
            text = line.result or ""
        if error is not None:
            error = msgspec.structs.replace(error, message=self._redact(error.message))
        usage = tokens(line.usage) if line.usage is not None else None
        uncounted = error is not None and self._streamed and not _any(usage)
        # A turn that broke off reports zero tokens although some were spent, and no cost or a part of it (measured): that is
        # "not known". One that the CLI's own limits ended (it has another subtype) has its whole cost, and no tokens either.
        broke_off = (line.terminal_reason or "").startswith("aborted") or (
            error is not None
            and self._streamed
            and (not line.total_cost_usd or (uncounted and line.subtype == "success"))
        )
        ended = TurnEnded(
            text=text,
            structured=line.structured_output,
            error=error or self._attachment_refused(),
            usage=None if broke_off or uncounted else usage,
            list_cost_usd=None if broke_off else line.total_cost_usd,
            model=self._model,
            cost_models=tuple(line.model_usage),
            web_searches=_searches(line.usage),
            denials=tuple(denial.tool_name for denial in line.permission_denials),
            unfinished=self._tasks.unfinished(),
        )
        return (ended,)

    def _attachment_refused(self) -> ErrorInfo | None:
        removed, self._removed, self._called = self._removed, None, False
        return None if removed is None else ATTACHMENT_REFUSED.info(self._redact(removed))


def tokens(usage: wire.Usage) -> TokenUsage:
    """Token counts in the receipt's words. Cache writes are split by lifetime where the server says so."""
    split = usage.cache_creation or {}
    write_1h = _count(split.get("ephemeral_1h_input_tokens"))
    write_5m = _count(split.get("ephemeral_5m_input_tokens"))
    total = usage.cache_creation_input_tokens
    if total is not None and (write_1h or 0) + (write_5m or 0) < total:
        # The split is missing or all zero: five minutes is the CLI's default lifetime.
        write_5m = total - (write_1h or 0)
    return TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h if write_1h is not None or total is None else 0,
    )


def _searches(usage: wire.Usage | None) -> int:
    used = usage.server_tool_use if usage is not None else None
    count = _count(used.get("web_search_requests")) if used is not None else None
    return count if count is not None and 0 < count <= MOST_TOKENS else 0


def _flatten_blocks(content: str | list[wire.Block]) -> str:
    return content if isinstance(content, str) else " ".join(block.text or "" for block in content)


def _size(text: str | None) -> int:
    return len(text.encode("utf-8", "surrogatepass")) if text else 0


def _any(usage: TokenUsage | None) -> bool:
    return usage is not None and any(msgspec.structs.astuple(usage))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _flatten(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""
