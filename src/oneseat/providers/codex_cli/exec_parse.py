"""Parses `codex exec --json` into events. It reports less than the app-server: no partial text, windows or error kinds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from oneseat._util import tolerant
from oneseat.contract.events import (
    Event,
    Message,
    Progress,
    Retry,
    Started,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
    Unknown,
    UsageSeen,
)
from oneseat.contract.receipt import TokenUsage

from . import failures, wire
from .parse import Setting, tokens

_KEPT_RAW = 64 * 1024
_ATTEMPT = re.compile(r"(\d+)/(\d+)")
_CALLS = {"command_execution": "shell", "file_change": "apply_patch", "web_search": "web_search"}


class _Item(msgspec.Struct, frozen=True):
    id: str = ""
    type: str = ""
    text: str | None = None
    command: str | None = None
    aggregated_output: str | None = None
    exit_code: int | None = None
    status: str | None = None
    changes: list[dict[str, Any]] = []
    query: str | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    output_tokens: int | None = None


class _Error(msgspec.Struct, frozen=True):
    message: str = ""


class _Line(msgspec.Struct, frozen=True):
    type: str = ""
    thread_id: str | None = None
    item: _Item = _Item()
    usage: _Usage | None = None
    error: _Error | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


class ExecParser:
    """Turns the lines of one run into events. ``tools`` are the run's tools, ``model`` is the requested model."""

    def __init__(self, setting: Setting, model: str | None, tools: tuple[str, ...]) -> None:
        self._setting = setting
        self._model = model
        self._tools = tools
        self._thread: str | None = None
        self._text = ""
        self._begun: set[str] = set()

    def events(self, raw: bytes) -> Iterable[Event]:
        """The events of one line. Never raises: anything unknown becomes ``Unknown``."""
        try:
            return self._of(_decode(raw), raw)
        except tolerant.UNREADABLE:
            found = tolerant.find_objects(raw)
        events: list[Event] = []
        if found.other or not found.objects:
            events.append(self._unknown(raw, "not a line of `codex exec`"))
        for fields in found.objects:
            events += self._of(tolerant.read(fields, _Line), raw)
        return events

    def _of(self, line: _Line, raw: bytes) -> Iterable[Event]:
        if line.type in {"thread.started", "turn.started"}:
            self._thread = line.thread_id or self._thread
            return (self._started() if line.type == "turn.started" else Progress(state=line.type),)
        if line.type.startswith("item."):
            return self._item(line.item, ended=line.type == "item.completed")
        if line.type in {"turn.completed", "turn.failed"}:
            return self._ended(line.usage, line.error, failed=line.type == "turn.failed")
        if line.type == "error":
            return (self._retry(line.message or ""),)
        return (self._unknown(raw, f"unknown line `{line.type}`"),)

    def _started(self) -> Started:
        return Started(
            run_id=self._setting.run_id,
            provider=self._setting.provider,
            model=self._model,
            cwd=self._setting.cwd,
            session_id=self._thread,
            tools=self._tools,
            # The key source was checked before the start; `exec` does not report it.
            api_key_source=None,
        )

    def _item(self, item: _Item, *, ended: bool) -> Iterable[Event]:
        if item.type == "agent_message" and ended:
            # A truncated message is sent again in full: the last one is the answer.
            self._text = item.text or ""
            return (Message(text=self._text),)
        if item.type == "reasoning" and ended:
            return (ThinkingDelta(text=item.text or ""),)
        if item.type not in _CALLS:
            return (Progress(state=f"item:{item.type}"),)
        events: list[Event] = []
        if item.id not in self._begun:
            self._begun.add(item.id)
            self._text = ""
            asked: dict[str, Any] = {
                "command": item.command,
                "changes": item.changes or None,
                "query": item.query,
            }
            given = {name: value for name, value in asked.items() if value is not None}
            events.append(ToolCall(id=item.id, name=_CALLS[item.type], input=given))
        if ended:
            failed = item.status not in {"completed", None} or bool(item.exit_code)
            said = item.aggregated_output or item.status or ""
            events.append(ToolResult(id=item.id, text=self._setting.hide(said), is_error=failed))
        return events or (Progress(state=f"item:{item.type}"),)

    def _retry(self, message: str) -> Event:
        attempt = _ATTEMPT.search(message)
        if attempt is None:
            return Progress(state="error")
        return Retry(
            attempt=int(attempt[1]),
            max_attempts=int(attempt[2]),
            delay_s=None,
            status=None,
            cause=self._setting.redact(message[:_KEPT_RAW]),
        )

    def _ended(self, usage: _Usage | None, said: _Error | None, *, failed: bool) -> Iterable[Event]:
        counted: TokenUsage | None = None
        if usage is not None:
            counted = tokens(wire.Tokens(**msgspec.structs.asdict(usage)))
            yield UsageSeen(message_id=None, usage=counted, model=self._model, stop_reason="end_turn")
        error = None
        if failed:
            words = said.message if said is not None else ""
            turn = wire.Turn(status="failed", error=wire.TurnError(message=words))
            error = failures.classify(turn, None, self._setting.now())
        if error is not None:
            error = msgspec.structs.replace(error, message=self._setting.redact(error.message))
        yield TurnEnded(text=self._text, error=error, usage=counted, model=self._model)

    def _unknown(self, raw: bytes, why: str) -> Unknown:
        text = self._setting.redact(raw[:_KEPT_RAW].decode("utf-8", "replace"))
        return Unknown(raw=text, why=self._setting.redact(why))
