"""Ends waits that last too long, and knows what is being waited for.

Time is counted in ticks of the event loop. A tick that comes late (the host slept, the process was stopped) counts as one
tick, so a closed laptop lid is not silence of the provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Literal, TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Event, Progress, Question, Retry, ToolCall, ToolResult, TurnEnded

T = TypeVar("T")
State = Literal["start", "model", "tool", "retry", "compaction", "question"]

_MAX_TICK_S = 1.0
#: A tick later than this many ticks was not spent waiting for the provider.
_LATE = 2.0
_QUESTION_GRACE_S = 30.0


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long silence may last in each state, and the whole run, in seconds."""

    start: float = 30.0
    model: float = 600.0
    tool: float = 2100.0
    retry: float = 300.0
    compaction: float = 600.0
    question: float = 600.0
    total: float | None = None


_WAITING_FOR = {
    "start": "the official CLI to answer",
    "model": "the model",
    "tool": "a tool",
    "retry": "the provider's next attempt",
    "compaction": "the conversation to be compacted",
    "question": "an answer to the assistant's question",
}


class Watchdog:
    """Bounds every wait of one run. Use as a context manager; put each wait through ``wait``; report each event to ``saw``."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        limits = [
            patience.start,
            patience.model,
            patience.tool,
            patience.retry,
            patience.total or patience.model,
        ]
        self._tick = min(_MAX_TICK_S, min(limits) / 4)
        self._state: State = "start"
        self._silence = 0.0
        self._elapsed = 0.0
        self._tools: set[str] = set()
        self._waiter: asyncio.Task[object] | None = None
        self._alarm: ErrorInfo | None = None
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Watchdog:
        self._last = self._loop.time()
        self._timer = self._loop.call_later(self._tick, self._on_tick)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Await something. Raises ``OneseatError`` (``stall.*`` or ``timeout.total``) when it lasts too long."""
        task = asyncio.current_task()
        self._silence = 0.0
        self._waiter = task
        try:
            return await awaitable
        except asyncio.CancelledError:
            # Ours, unless somebody else cancelled as well: their cancellation must win.
            if self._alarm is None or task is None or task.uncancel() > 0:
                raise
            raise OneseatError(self._alarm) from None
        finally:
            self._waiter = None

    def sent(self) -> None:
        """The prompt is on its way: from here on it is the model that is waited for."""
        self._state = "model"

    def saw(self, event: Event) -> None:
        """Take note of what the provider is doing now."""
        match event:
            case ToolCall():
                self._tools.add(event.id)
            case ToolResult():
                self._tools.discard(event.id)
            case TurnEnded():
                self._tools.clear()
            case _:
                pass
        self._state = self._state_after(event)

    def _state_after(self, event: Event) -> State:
        if isinstance(event, Question):
            return "question"
        if self._tools:
            return "tool"
        if isinstance(event, Retry):
            return "retry"
        if isinstance(event, Progress) and event.state == "compacting":
            return "compaction"
        return "model"

    def _on_tick(self) -> None:
        now = self._loop.time()
        passed = min(now - self._last, _LATE * self._tick)
        self._last = now
        self._elapsed += passed
        self._silence += passed
        if self._waiter is not None and self._alarm is None:
            self._alarm = self._overdue()
            if self._alarm is not None:
                self._waiter.cancel()
        self._timer = self._loop.call_later(self._tick, self._on_tick)

    def _overdue(self) -> ErrorInfo | None:
        total = self._patience.total
        if total is not None and self._elapsed >= total:
            return ErrorInfo(
                code="timeout.total",
                message=f"The run took longer than it may: {total:g} s",
                hint="Give it more time: `oneseat run --timeout SECONDS ...`",
            )
        limit: float = getattr(self._patience, self._state)
        if self._state == "question":
            # The question has its own limit, after which the answer is no; this one is for an answer that cannot be delivered.
            limit += _QUESTION_GRACE_S
        if self._silence < limit:
            return None
        return ErrorInfo(
            code=f"stall.{self._state}",
            message=f"Nothing was heard for {limit:g} s while waiting for {_WAITING_FOR[self._state]}",
            hint=f"If that can be normal, raise `watchdog.{self._state}_s` in oneseat.toml",
            whose_turn="provider",
        )
