"""Parses the app-server's notifications into events. The parser does not depend on the process, nor the process on events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from oneseat._util import tolerant
from oneseat._util.time import iso_reported
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
from oneseat.contract.receipt import NO_TOKENS, TokenUsage
from oneseat.providers.cli_common.lines import Undecoded

from . import failures, wire
from .limits import on_credits, readings, windows

P = TypeVar("P")
#: How much of an unknown line an event contains, in bytes.
_KEPT_RAW = 64 * 1024
_LONGEST_CREDENTIAL = 4096
_ATTEMPT = re.compile(r"(\d+)/(\d+)")
#: Prefixes of notifications that only show that the CLI is alive.
_PROGRESS = (
    "thread/", "turn/", "hook/", "warning", "configWarning", "deprecationNotice", "guardianWarning",
    "remoteControl/", "mcpServer/", "account/", "app/", "skills/", "serverRequest/", "item/", "model/",
    "modelProvider/", "autoApprovalReview/", "command/", "process/", "project/", "rawResponseItem/",
)  # fmt: skip
#: The item types that are tool calls, and the names of the calls.
_CALLS = {
    "commandExecution": "shell",
    "fileChange": "apply_patch",
    "webSearch": "web_search",
    "imageGeneration": "image_generation",
    "imageView": "view_image",
    "dynamicToolCall": "dynamic",
    "collabAgentToolCall": "agent",
    "mcpToolCall": "mcp",
}
_WELL = frozenset({"completed", "inProgress", None})


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The parser's facts about its run. ``now`` returns seconds since 1970, ``hide`` removes secrets from tool output."""

    run_id: str
    provider: str
    cwd: str
    now: Callable[[], float]
    redact: Callable[[str], str]
    hide: Callable[[str], str] = str


class Parser:
    """Turns the notifications about one thread into events, and keeps the facts needed to judge the end of a turn.

    ``hopeless`` is set when further retries of the CLI are pointless, and ``given_up`` by the caller that then stops the turn.
    ``thread`` and ``model`` are set when the thread has started, ``tools`` and ``servers`` are those it was given, and
    ``key_source`` is the login that the CLI would use instead of the plan's (``none`` for no other).
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.thread: str | None = None
        self.model: str | None = None
        self.tools: tuple[str, ...] = ()
        self.servers: tuple[str, ...] = ()
        self.key_source: str | None = None
        self.turn: str | None = None
        self.given_up: wire.TurnError | None = None
        self.hopeless: wire.TurnError | None = None
        self.limits: wire.RateLimits | None = None
        self.credits: wire.Credits | None = None
        self._text = ""
        self._used = NO_TOKENS
        self._answered = False
        self._over_http = False
        self._handlers: dict[str, Callable[[Any], Iterable[Event]]] = {
            "turn/started": self._turn_started,
            "turn/completed": self._turn_completed,
            "item/started": self._item_started,
            "item/completed": self._item_completed,
            "item/agentMessage/delta": self._text_delta,
            "item/reasoning/summaryTextDelta": self._thought,
            "item/reasoning/textDelta": self._thought,
            "thread/tokenUsage/updated": self._usage,
            "account/rateLimits/updated": self._limits,
            "error": self._error,
            "model/rerouted": self._rerouted,
            "thread/compacted": lambda _: (Progress(state="compacting"),),
            "item/commandExecution/requestApproval": self._approval("shell"),
            "item/fileChange/requestApproval": self._approval("apply_patch"),
            "mcpServer/elicitation/request": self._elicitation,
        }

    def events(self, line: wire.Line) -> Iterable[Event]:
        """The events for one line; none for answers, which the sender of the request handles."""
        if isinstance(line, Undecoded):
            return (self.unknown(line.raw, line.why),)
        if line.method is None:
            return (Progress(state="answer"),)
        handler = self._handlers.get(line.method)
        if handler is not None:
            try:
                return handler(line)
            except tolerant.UNREADABLE:
                return (self.unknown(bytes(line.params), f"`{line.method}` does not have the known shape"),)
        if line.method.startswith(_PROGRESS):
            return (Progress(state=line.method),)
        return (self.unknown(bytes(line.params), f"unknown notification `{line.method}`"),)

    def unknown(self, raw: bytes, why: str) -> Unknown:
        """An event for a line that this version does not know; redacted and truncated, never dropped."""
        # Redact before truncating: part of a credential would not be recognised.
        text = self._setting.redact(raw[: _KEPT_RAW + _LONGEST_CREDENTIAL].decode("utf-8", "replace"))
        return Unknown(raw=text[:_KEPT_RAW], why=self._setting.redact(why))

    def begin(self) -> None:
        """Reset the state of a turn. Call before a turn begins."""
        self._text, self._used, self._answered, self._over_http = "", NO_TOKENS, False, False
        self.turn = self.given_up = self.hopeless = None

    def _turn_started(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.TurnParams)
        if self._subagent(params) is not None:
            return (Progress(state="subagent"),)
        self.turn = params.turn.id
        started = Started(
            run_id=self._setting.run_id,
            provider=self._setting.provider,
            model=self.model,
            cwd=self._setting.cwd,
            session_id=self.thread,
            tools=self.tools,
            mcp_servers=tuple(f"{name}:connected" for name in self.servers),
            api_key_source=self.key_source,
        )
        return (started,)

    def _turn_completed(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.TurnParams)
        if self._subagent(params) is not None:
            return (Progress(state="subagent"),)
        turn = params.turn
        if self.given_up is not None and turn.status == "interrupted":
            turn = wire.Turn(id=turn.id, status="failed", error=self.given_up)
        error = failures.classify(turn, self.limits, self._setting.now())
        if error is not None:
            error = msgspec.structs.replace(error, message=self._setting.redact(error.message))
        # A turn that was cut short may have used uncounted tokens; one whose first request was rejected used none.
        refused = error is not None and (
            error.code.startswith("limit.") or error.code == "provider.auth_rejected"
        )
        counted = self._answered or refused
        ended = TurnEnded(
            text=self._text,
            error=error,
            usage=self._used if counted else None,
            model=self.model,
        )
        return (ended,)

    def _item_started(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.ItemParams)
        item = params.item
        if item.type in {"contextCompaction", "compaction"}:
            return (Progress(state="compacting"),)
        if item.type not in _CALLS:
            return (Progress(state=f"item:{item.type}"),)
        # Text before a tool call is not part of the answer.
        self._text = "" if self._subagent(params) is None else self._text
        call = ToolCall(id=item.id, name=_name(item), input=_input(item), subagent=self._subagent(params))
        return (call,)

    def _item_completed(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.ItemParams)
        item, subagent = params.item, self._subagent(params)
        if item.type == "agentMessage":
            if subagent is None:
                # A truncated message is sent again in full: the last one is the answer.
                self._text = item.text or ""
            return (Message(text=item.text or "", subagent=subagent),)
        if item.type not in _CALLS:
            return (Progress(state=f"item:{item.type}"),)
        failed = item.status not in _WELL or bool(item.exit_code)
        return (ToolResult(id=item.id, text=self._setting.hide(_result(item)), is_error=failed),)

    def _text_delta(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.DeltaParams)
        if self._subagent(params) is not None:
            return (Progress(state="subagent"),)
        return (TextDelta(text=params.delta),)

    def _thought(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.DeltaParams)
        return (ThinkingDelta(text=params.delta),)

    def _usage(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.UsageParams)
        usage = tokens(params.token_usage.last)
        self._answered = True
        self._used = _added(self._used, usage)
        seen = UsageSeen(
            message_id=None,
            usage=usage,
            model=self.model,
            subagent=self._subagent(params),
            stop_reason="end_turn",
        )
        return (seen,)

    def _limits(self, line: wire.Envelope) -> Iterable[Event]:
        limits = _params(line, wire.LimitParams).rate_limits
        self.credits = limits.credits or self.credits
        if not list(windows(limits)):
            return (Progress(state="account/rateLimits/updated"),)
        self.limits = limits
        overage = on_credits(limits, self.credits)
        read_at = iso_reported(self._setting.now()) or ""
        found = readings(limits, "account/rateLimits/updated", read_at, self._setting.redact)
        return [LimitSeen(limit=reading, overage=overage) for reading in found]

    def _error(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.ErrorParams)
        if not params.will_retry:
            return (Progress(state="error"),)
        attempt = _ATTEMPT.search(params.error.message)
        number = int(attempt[1]) if attempt else 0
        # While it tries its web socket, the CLI counts from two; it then falls back to plain requests by itself.
        self._over_http = self._over_http or number == 1
        if self._over_http and failures.is_final(params.error, number):
            details = params.error.additional_details or params.error.message
            self.hopeless = msgspec.structs.replace(params.error, message=details)
        _, status = failures.word_of(params.error.codex_error_info)
        cause = params.error.additional_details or params.error.message
        retry = Retry(
            attempt=number,
            max_attempts=int(attempt[2]) if attempt else None,
            delay_s=None,
            status=status,
            cause=self._setting.redact(cause[:_KEPT_RAW]),
        )
        return (retry,)

    def _rerouted(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.RerouteParams)
        if params.to_model is None:
            return (Progress(state="model/rerouted"),)
        before, self.model = self.model, params.to_model
        return (
            ModelFallback(model=before, fallback=params.to_model, cause=str(params.reason), by="provider"),
        )

    def _approval(self, tool: str) -> Callable[[wire.Envelope], Iterable[Event]]:
        def ask(line: wire.Envelope) -> Iterable[Event]:
            params = _params(line, wire.ApprovalParams)
            asked = {
                name: value for name, value in (("command", params.command), ("cwd", params.cwd)) if value
            }
            return (
                Question(
                    id=_question_id(line), tool=tool, input=asked, why=params.reason, call=params.item_id
                ),
            )

        return ask

    def _elicitation(self, line: wire.Envelope) -> Iterable[Event]:
        params = _params(line, wire.ElicitationParams)
        meta = params.meta
        if meta is None or meta.tool_name is None:
            return (Progress(state="asked:elicitation"),)
        arguments = meta.tool_params if isinstance(meta.tool_params, dict) else {"value": meta.tool_params}
        tool = f"mcp__{params.server_name}__{meta.tool_name}"
        return (Question(id=_question_id(line), tool=tool, input=arguments, why=params.message),)

    def _subagent(self, params: wire.Params) -> str | None:
        return params.thread_id if params.thread_id not in {None, self.thread} else None


def tokens(usage: wire.Tokens) -> TokenUsage:
    """Token counts as in the receipt, each kind counted separately."""
    cached, written = usage.cached_input_tokens, usage.cache_write_input_tokens
    fresh = None
    if usage.input_tokens is not None:
        fresh = max(0, usage.input_tokens - (cached or 0) - (written or 0))
    return TokenUsage(
        input_tokens=fresh,
        output_tokens=usage.output_tokens,
        cache_read_tokens=cached,
        cache_write_5m_tokens=written,
        cache_write_1h_tokens=0,
    )


def _params(line: wire.Envelope, kind: type[P]) -> P:
    found: P = tolerant.decode(bytes(line.params), kind)
    return found


def _question_id(line: wire.Envelope) -> str:
    return msgspec.json.encode(line.id).decode()


def _added(before: TokenUsage, more: TokenUsage) -> TokenUsage:
    pairs = zip(msgspec.structs.astuple(before), msgspec.structs.astuple(more), strict=True)
    return TokenUsage(*(None if a is None or b is None else a + b for a, b in pairs))


def _name(item: wire.Item) -> str:
    if item.type == "mcpToolCall":
        return f"mcp__{item.server}__{item.tool}"
    if item.type in {"dynamicToolCall", "collabAgentToolCall"}:
        return item.tool or _CALLS[item.type]
    return _CALLS[item.type]


def _input(item: wire.Item) -> dict[str, Any]:
    if item.type == "commandExecution":
        return {"command": item.command or "", "cwd": item.cwd or ""}
    if item.type == "fileChange":
        return {"changes": [{"path": change.path, "kind": _kind(change.kind)} for change in item.changes]}
    if item.query is not None:
        return {"query": item.query}
    if isinstance(item.arguments, dict):
        return item.arguments
    return {} if item.arguments is None else {"value": item.arguments}


def _kind(kind: object) -> str:
    return str(kind.get("type")) if isinstance(kind, dict) else str(kind)


def _result(item: wire.Item) -> str:
    if item.error is not None:
        return item.error.message
    if item.result is not None:
        content = item.result.content
        parts = content if isinstance(content, list) else ()
        return "\n".join(
            part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return item.aggregated_output or item.status or ""
