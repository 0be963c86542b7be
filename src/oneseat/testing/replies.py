"""The script language of the simulator: the reply to one request, as data.

    Reply
    ├─ Answer      a message of the model, complete or cut short by a fault
    ├─ ToolRound   a tool call first, an answer once the request carries the tool's result
    ├─ ByPayer     one reply where a plan pays, another where a key does
    ├─ Failure     an error in the API's own shape
    ├─ Page        any other body, such as a proxy's HTML page
    └─ NoAnswer    a fault before the first byte

A scenario is a list of replies: one for each request of a label, in order; the last one repeats.
All durations are in seconds.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Window = Literal["five_hour", "seven_day", "seven_day_opus"]
#: Stream faults: connection reset, connection closed early, an error event, no further data, or only pings.
StreamFault = Literal["reset", "eof", "error", "hang", "pings"]


class Text(msgspec.Struct, frozen=True, tag="text"):
    """A text block. ``delta_chars`` cuts it into pieces of that many characters; ``None`` sends it word by word."""

    text: str
    delta_chars: int | None = None


class Thinking(msgspec.Struct, frozen=True, tag="thinking"):
    """A thinking block, sent word by word and signed with a made-up signature."""

    text: str


class ToolUse(msgspec.Struct, frozen=True, tag="tool_use"):
    """A call of the tool ``name`` with ``input``, or of ``mcp__SERVER__name`` when only that is offered."""

    name: str
    input: dict[str, Any]


class Echo(msgspec.Struct, frozen=True, tag="echo"):
    """A text block that repeats the user's last text, so that a test can see what arrived."""


class Filler(msgspec.Struct, frozen=True, tag="filler"):
    """A text block of ``kib`` times 1024 characters in one single delta."""

    kib: int


class Structured(msgspec.Struct, frozen=True, tag="structured"):
    """A call of the StructuredOutput tool if the request offers it, else the same value as JSON text.

    If ``value`` is ``None``, it is the smallest value that matches the request's schema.
    """

    value: dict[str, Any] | None = None


Block: TypeAlias = Text | Thinking | ToolUse | Echo | Filler | Structured


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The token counts that a message reports. If ``output_tokens`` is ``None``, the words of the answer are counted."""

    input_tokens: int = 10
    cache_write_5m_tokens: int = 100
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 1000
    output_tokens: int | None = None


class WindowShare(msgspec.Struct, frozen=True, kw_only=True):
    """How full one window is. ``used`` and ``threshold`` (the last warning level passed) are shares from 0 to 1."""

    window: Literal["five_hour", "seven_day"]
    used: float
    threshold: float | None = None
    resets_in_s: int


_DAY_S = 24 * 3600
FIVE_HOUR = WindowShare(window="five_hour", used=0.12, resets_in_s=3 * 3600)
SEVEN_DAY = WindowShare(window="seven_day", used=0.34, resets_in_s=3 * _DAY_S)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the plan's usage windows, sent as ``anthropic-ratelimit-unified-*`` headers.

    ``window`` is the one that decides ``status``. ``overage`` is the state of extra paid usage; ``overage_in_use`` means that
    it is being spent now. Reset times count from the start of the simulator, so that they are the same in every answer.
    """

    status: Literal["allowed", "rejected"] = "allowed"
    window: Window = "five_hour"
    resets_in_s: int = FIVE_HOUR.resets_in_s
    shares: tuple[WindowShare, ...] = (FIVE_HOUR, SEVEN_DAY)
    overage: Literal["allowed", "rejected"] = "rejected"
    overage_in_use: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """A message of the model.

    ``delay_s`` is the delay before the headers, ``pace_s`` before every delta and ping. ``fault`` ends a *streamed* answer after
    ``fault_after`` deltas; without streaming, the same answer arrives complete. ``stop_reason`` defaults to ``tool_use`` if a
    tool is called, else to ``end_turn``.
    """

    content: tuple[Block, ...]
    stop_reason: str | None = None
    delay_s: float = 0.0
    pace_s: float = 0.0
    limits: Limits | None = Limits()
    usage: Usage = Usage()
    fault: StreamFault | None = None
    fault_after: int = 1


class ToolRound(msgspec.Struct, frozen=True, kw_only=True, tag="tool_round"):
    """``call`` until a request ends with a tool's result, then ``answer``: works for any number of runs in a row."""

    call: ToolUse
    answer: Answer


class ByPayer(msgspec.Struct, frozen=True, kw_only=True, tag="by_payer"):
    """One reply for requests that a plan pays for, another for requests with an API key."""

    plan: Answer | Failure
    key: Answer | Failure


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """An error in the API's own format. ``kind`` is its ``error.type`` in the Messages API; other APIs use their own terms.

    ``retry_after_s`` becomes the header ``retry-after``. ``about`` is the cause, for APIs that have a separate code for it.
    """

    status: int
    kind: str
    message: str
    retry_after_s: int | None = None
    limits: Limits | None = None
    about: Literal["credit", "context"] | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True, tag="page"):
    """A body that is not from the API, such as a captive portal's page."""

    body: str
    status: int = 200
    content_type: str = "text/html; charset=utf-8"


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="no_answer"):
    """A fault before the first byte: the connection is reset, or no reply is ever sent."""

    fault: Literal["reset", "hang"]


Reply: TypeAlias = Answer | ToolRound | ByPayer | Failure | Page | NoAnswer
