"""Adds up the events of an attempt, and the usage and costs of all attempts of a run."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import msgspec

from oneseat.contract.events import (
    Answered,
    Event,
    LimitSeen,
    Message,
    ModelFallback,
    Retry,
    SessionRenewed,
    Started,
    TextDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
)
from oneseat.contract.receipt import Evidence, LimitReading, TokenUsage
from oneseat.rules.inputs.schemas import STRUCTURE_TOOL

#: Reasons for a new conversation that is briefed about the old one, which is mentioned on the receipt.
_HEALED = frozenset({"lost", "overflow", "bytes"})
_TOO_MANY_REQUESTS = 429


class RunTotals(msgspec.Struct, kw_only=True):
    """The sum of an attempt's events so far.

    ``overage`` is ``None`` until the server reports it. ``calls`` are the tool calls that may have acted: all except the
    model's structured answer and denied calls. ``structure`` is the last structured answer. ``pause_s`` is how long the
    provider itself waited before it last retried a rate-limited request.
    """

    started: Started | None = None
    ended: TurnEnded | None = None
    limits: dict[str, LimitReading] = {}
    overage: bool | None = None
    open_tools: dict[str, str] = {}
    has_text: bool = False
    usage: TokenUsage | None = None
    web_searches: int = 0
    denied: dict[str, None] = {}
    calls: set[str] = set()
    structure: dict[str, Any] | None = None
    pause_s: float = 0.0
    evidence: list[Evidence] = []
    pieces: list[str] = []
    messages: list[str] = []

    def add(self, event: Event) -> None:
        """Count one event."""
        if type(event) is TextDelta:
            # Checked first and by identity: nearly all events of a long answer are pieces of text.
            self.has_text = True
            self.pieces.append(event.text)
            return
        match event:
            case Message(subagent=None):
                self.has_text = True
                self.messages.append(event.text)
                self.pieces.clear()
            case ToolCall():
                self.open_tools[event.id] = event.name
                if event.name == STRUCTURE_TOOL:
                    self.structure = event.input
                else:
                    self.calls.add(event.id)
                self.messages.clear()
                self.pieces.clear()
            case ToolResult():
                self.open_tools.pop(event.id, None)
            case Retry():
                # The next attempt starts the message again; discard the text of the failed one.
                self.pieces.clear()
                if event.status == _TOO_MANY_REQUESTS and event.delay_s is not None:
                    self.pause_s = event.delay_s
            case Started():
                self.started = event
            case TurnEnded():
                self.ended = event
                self.denied |= dict.fromkeys(event.denials)
                self.usage = _sum(self.usage, event.usage)
                self.web_searches += event.web_searches
            case _:
                self._add_rare(event)

    def _add_rare(self, event: Event) -> None:
        match event:
            case LimitSeen():
                self._limit(event)
            case Answered(allowed=False):
                self.denied[event.tool] = None
                self.calls.discard(event.call or "")
            case SessionRenewed() if event.reason in _HEALED:
                self.evidence.append(Evidence("session_renewed", event.reason, "before"))
            case ModelFallback():
                self.evidence.append(Evidence("model_fallback", event.fallback, "during"))
            case _:
                pass

    def _limit(self, event: LimitSeen) -> None:
        self.limits[event.limit.window] = event.limit
        # A plain rate limit names no window, so it shows nothing about the plan unless it reports overage.
        if event.overage or (event.overage is not None and event.limit.window != "unknown"):
            self.overage = event.overage

    def denials(self) -> tuple[str, ...]:
        """The denied tools, each once, in the order of the first denial."""
        return tuple(self.denied)

    def may_have_acted(self, tools: Iterable[str]) -> bool:
        """Whether a tool may have acted, of ``tools`` or of those that the provider listed at the start.

        True for an unfinished attempt that had any tool, because the last output of a provider that dies is lost.
        """
        there = self.started.tools if self.started is not None else tools
        return bool(self.calls) or (self.ended is None and any(name != STRUCTURE_TOOL for name in there))

    def used_nothing(self) -> bool:
        """Whether the provider has reported that no token was used."""
        return self.usage is not None and not any(count != 0 for count in msgspec.structs.astuple(self.usage))

    def partial_text(self) -> str:
        """The received text of an unfinished answer."""
        return "".join(self.messages) + "".join(self.pieces)


def sum_of_usages(usages: Iterable[TokenUsage]) -> TokenUsage:
    """The tokens of several attempts. A count that is unknown in one of them is unknown in the sum."""
    return reduce(_added, usages)


def sum_of_costs(costs: Iterable[float | None]) -> float | None:
    """The list price of several attempts in US dollars; unknown if one of them is."""
    known = list(costs)
    return None if None in known else round(sum(cost for cost in known if cost is not None), 9)


def _sum(before: TokenUsage | None, more: TokenUsage | None) -> TokenUsage | None:
    """The tokens of two turns. A count that is unknown in one of them is unknown in the sum."""
    if before is None or more is None:
        return more if before is None else TokenUsage()
    return _added(before, more)


def _added(before: TokenUsage, more: TokenUsage) -> TokenUsage:
    pairs = zip(msgspec.structs.astuple(before), msgspec.structs.astuple(more), strict=True)
    return TokenUsage(*(None if a is None or b is None else a + b for a, b in pairs))
