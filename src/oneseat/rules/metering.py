"""Adds up what a run told while it went on."""

from __future__ import annotations

import msgspec

from oneseat.contract.events import (
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
from oneseat.contract.receipt import LimitReading


class Tally(msgspec.Struct, kw_only=True):
    """The sum of a run's events so far. ``overage`` is ``None`` as long as the server has not said."""

    started: Started | None = None
    ended: TurnEnded | None = None
    limits: dict[str, LimitReading] = {}
    overage: bool | None = None
    open_tools: dict[str, str] = {}
    has_text: bool = False
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
                self.limits[event.limit.window] = event.limit
                # A plain rate limit names no window: it is no word of the server on the plan, unless it says overage.
                if event.overage or (event.overage is not None and event.limit.window != "unknown"):
                    self.overage = event.overage
            case Started():
                self.started = event
            case TurnEnded():
                self.ended = event
            case _:
                pass

    def partial_text(self) -> str:
        """What was received of an answer that never finished."""
        return "".join(self.messages) + "".join(self.pieces)
