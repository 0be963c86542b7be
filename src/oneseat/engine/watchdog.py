"""Ends waits that take too long. Each state of the provider has its own limit.

Time is counted in ticks of the event loop. A tick that comes late (the host slept, the process was stopped) counts as one
tick, so that the time a laptop is closed does not count as silence of the provider.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Literal, Self, TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Event, Progress, Question, Retry, ToolCall, ToolResult, TurnEnded

T = TypeVar("T")
State = Literal["start", "model", "tool", "retry", "compaction", "question", "pause"]
#: Returns how much the provider has written to its transcripts so far, in bytes.
Written = Callable[[], Awaitable[int]]

#: The official CLI applies a change of settings a second after it at the earliest (measured).
_MAX_TICK_S = 0.5
#: The most ticks that a late tick counts for.
_LATE = 2.0
_QUESTION_GRACE_S = 30.0


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """The limits in seconds: for silence in each state, and for the whole run."""

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


#: States in which the CLI may be working although it prints nothing: in a subagent, or with its output blocked.
_WORKS_UNSEEN = frozenset({"model", "tool", "compaction"})


class Watchdog:
    """Limits every wait of one run. Use it as a context manager, await through ``wait`` and report events to ``saw``.

    During silence it calls ``written`` at half the limit and at the limit: a transcript that has grown in between shows work.
    """

    def __init__(self, timeouts: Timeouts, written: Written | None = None) -> None:
        self.timeouts = timeouts
        self._written = written
        self._payer: Callable[[], ErrorInfo | None] | None = None
        self._seen_written: int | None = None
        self._look: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        limits = [
            timeouts.start,
            timeouts.model,
            timeouts.tool,
            timeouts.retry,
            timeouts.total or timeouts.model,
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
        if self._look is not None:
            self._look.cancel()

    def watching(self, written: Written) -> Self:
        """Watch another conversation; ``written`` returns the size of its transcripts. The time of the run goes on."""
        self._written, self._seen_written = written, None
        self.restart()
        return self

    @property
    def time_left_s(self) -> float | None:
        """The remaining time of the run in seconds; ``None`` when it has no limit."""
        return None if self.timeouts.total is None else max(0.0, self.timeouts.total - self._elapsed)

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Await ``awaitable``. Raises ``OneseatError`` (``stall.*`` or ``timeout.total``) when it takes too long."""
        task = asyncio.current_task()
        self._hear()
        self._waiter = task
        try:
            return await awaitable
        except asyncio.CancelledError:
            # A cancellation from outside takes precedence over the watchdog's own, which leaves no waiter.
            if self._waiter is not None or self._alarm is None or task is None or task.uncancel() > 0:
                raise
            raise OneseatError(self._alarm) from None
        finally:
            self._waiter = None

    @property
    def alarm(self) -> ErrorInfo | None:
        """Why the turn must end; also when it was found between two waits, which nothing but the next long wait raises."""
        return self._alarm

    async def pause(self, seconds: float) -> None:
        """Sleep before the next attempt. Only the limit of the whole run applies meanwhile."""
        await self.idle(asyncio.sleep(seconds))

    async def idle(self, awaitable: Awaitable[None]) -> None:
        """Await work that does not depend on the provider. Only the limit of the whole run applies meanwhile."""
        self._state = "pause"
        await self.wait(awaitable)
        self._state = "start"

    def restart(self) -> None:
        """Reset the state for another attempt."""
        self._state = "start"
        self._tools.clear()
        self._alarm = self._payer = None

    def sent(self, payer: Callable[[], ErrorInfo | None] | None = None) -> None:
        """The prompt was sent: from here on the wait is for the model, and ends when ``payer`` has an objection."""
        self._state = "model"
        self._payer = payer

    def saw(self, *events: Event) -> None:
        """Note what the provider is doing now."""
        for event in events:
            # Compare types by identity, four times as fast: there are hundreds of thousands of events, none with subclasses.
            if type(event) is ToolCall:
                self._tools.add(event.id)
            elif type(event) is ToolResult:
                self._tools.discard(event.id)
            elif type(event) is TurnEnded:
                self._tools.clear()
        self._state = self._state_after(events[-1])

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
        if self._alarm is None:
            self._check()
        elif self._waiter is not None:
            self._end_wait(self._waiter)
        self._timer = self._loop.call_later(self._tick, self._on_tick)

    def _check(self) -> None:
        objection = self._payer() if self._payer is not None else None
        if objection is not None:
            self._give_alarm(objection)
        elif self.time_left_s == 0.0:
            self._give_alarm(self._out_of_time())
        elif self._waiter is None:
            return  # the time that the caller takes is not silence
        elif self._written is not None and self._state in _WORKS_UNSEEN:
            if self._look is None and (
                self._is_silent(0.5) if self._seen_written is None else self._is_silent(1)
            ):
                self._look = self._loop.create_task(self._look_for_life(self._written))
        elif self._is_silent(1):
            self._give_alarm(self._stalled())

    async def _look_for_life(self, written: Written) -> None:
        """Compare the size of the transcripts with the last check; the first check only records the size."""
        before = self._seen_written
        try:
            now = await written()
        finally:
            self._look = None
        if before is None:
            # Keep the size only if the silence continued meanwhile: a size from before an event proves nothing.
            self._seen_written = now if self._is_silent(0.5) else None
        elif now > before:
            self._hear()
        elif self._is_silent(1) and self._waiter is not None and self._alarm is None:
            self._give_alarm(self._stalled())

    def _hear(self) -> None:
        self._silence = 0.0
        self._seen_written = None

    def _give_alarm(self, alarm: ErrorInfo) -> None:
        self._alarm = alarm
        if self._waiter is not None:
            self._end_wait(self._waiter)

    def _end_wait(self, waiter: asyncio.Task[object]) -> None:
        self._waiter = None
        waiter.cancel()

    def _is_silent(self, share: float) -> bool:
        """Whether the silence has lasted for this share of the current state's limit."""
        return self._silence >= share * self._limit()

    def _limit(self) -> float:
        if self._state == "pause":
            return math.inf
        limit: float = getattr(self.timeouts, self._state)
        # A question has its own limit, after which it is denied; this one applies to an answer that cannot be delivered.
        return limit + _QUESTION_GRACE_S if self._state == "question" else limit

    def _out_of_time(self) -> ErrorInfo:
        return ErrorInfo(
            code="timeout.total",
            message=f"Timed out after {self.timeouts.total:g} s",
            hint="Allow more time: `oneseat run --timeout SECONDS ...`",
        )

    def _stalled(self) -> ErrorInfo:
        limit = self._limit()
        return ErrorInfo(
            code=f"stall.{self._state}",
            message=f"No output for {limit:g} s while waiting for {_WAITING_FOR[self._state]}",
            hint=f"If that is expected, raise `watchdog.{self._state}_s` in oneseat.toml",
            whose_turn="provider",
        )
