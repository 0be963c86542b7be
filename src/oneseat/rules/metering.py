"""Adds up what a run told while it went on."""

from __future__ import annotations

import msgspec

from oneseat.contract.events import (
    Answered,
    Event,
    LimitSeen,
    Message,
    Retry,
    Started,
    TextDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
)
from oneseat.contract.receipt import LimitReading, TokenUsage


class Tally(msgspec.Struct, kw_only=True):
    """The sum of a run's events so far. ``overage`` is ``None`` as long as the server has not said."""

    started: Started | None = None
    ended: TurnEnded | None = None
    limits: dict[str, LimitReading] = {}
    overage: bool | None = None
    open_tools: dict[str, str] = {}
    has_text: bool = False
    usage: TokenUsage | None = None
    denied: dict[str, None] = {}
    pieces: list[str] = []
    messages: list[str] = []

    def add(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case TextDelta():
                self.has_text = True
                self.pieces.append(event.text)
            case Message(subagent=None):
                self.has_text = True
                self.messages.append(event.text)
                self.pieces.clear()
            case ToolCall():
                self.open_tools[event.id] = event.name
                self.messages.clear()
                self.pieces.clear()
            case ToolResult():
                self.open_tools.pop(event.id, None)
            case Retry():
                # The next attempt starts the message anew; what the broken one streamed is not part of it.
                self.pieces.clear()
            case LimitSeen():
                self._limit(event)
            case Started():
                self.started = event
            case Answered(allowed=False):
                self.denied[event.tool] = None
            case TurnEnded():
                self.ended = event
                self.denied |= dict.fromkeys(event.denials)
                self.usage = _sum(self.usage, event.usage)
            case _:
                pass

    def _limit(self, event: LimitSeen) -> None:
        self.limits[event.limit.window] = event.limit
        # A plain rate limit names no window: it is no word of the server on the plan, unless it says overage.
        if event.overage or (event.overage is not None and event.limit.window != "unknown"):
            self.overage = event.overage

    def denials(self) -> tuple[str, ...]:
        """The tools that were not allowed, each once, in the order of the first refusal."""
        return tuple(self.denied)

    def partial_text(self) -> str:
        """What was received of an answer that never finished."""
        return "".join(self.messages) + "".join(self.pieces)


def _sum(before: TokenUsage | None, more: TokenUsage | None) -> TokenUsage | None:
    """The tokens of two turns. What is unknown in one of them is unknown in the sum."""
    if before is None or more is None:
        return more if before is None else TokenUsage()
    pairs = zip(msgspec.structs.astuple(before), msgspec.structs.astuple(more), strict=True)
    return TokenUsage(*(None if a is None or b is None else a + b for a, b in pairs))
