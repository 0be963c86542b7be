"""What a run tells while it goes on. Every line a provider prints becomes one of these, or ``Unknown``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from .errors import ErrorInfo
from .receipt import Evidence, LimitReading, RunResult, TokenUsage, Wallet, cost_or_none
from .routing import PaidFrom, PassedOver
from .sessions import EndReason


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type", tag=True):
    """Base of all events. ``durable`` ones are written to the ledger before a caller sees them."""

    durable: ClassVar[bool] = True


#: Events that have come together, in their order; never none.
Batch: TypeAlias = Sequence[Event]


class WalletVerified(Event, frozen=True, kw_only=True, gc=False, tag="wallet_verified"):
    """The billing gate cleared the run; nothing has been sent yet."""

    wallet: Wallet
    evidence: tuple[Evidence, ...]


class Routed(Event, frozen=True, kw_only=True, gc=False, tag="routed"):
    """The candidate that serves the run, and the ones skipped before it, each with the reason.

    ``cause`` is the error code of the previous candidate, if the run falls back from one; ``role`` is the requested role.
    """

    provider: str
    model: str | None
    paid_from: PaidFrom
    key: str | None = None
    role: str | None = None
    cause: str | None = None
    passed_over: tuple[PassedOver, ...] = ()


class SessionRenewed(Event, frozen=True, kw_only=True, gc=False, tag="session_renewed"):
    """The session could not be continued, and the run starts a new one. ``previous`` may be a run that had no session.

    ``carried`` earlier exchanges are quoted in the new session; 0 means none.
    """

    previous: str
    session_id: str
    reason: EndReason
    why: str
    carried: int = 0


class Started(Event, frozen=True, kw_only=True, gc=False, tag="started"):
    """The provider accepted the prompt."""

    run_id: str
    provider: str
    model: str | None
    cwd: str
    session_id: str | None = None
    tools: tuple[str, ...] = ()
    mcp_servers: tuple[str, ...] = ()
    api_key_source: str | None = None


class TextDelta(Event, frozen=True, kw_only=True, gc=False, tag="text_delta"):
    """A piece of the answer, as it comes. Not stored; the finished ``Message`` is."""

    durable: ClassVar[bool] = False
    text: str


class ThinkingDelta(Event, frozen=True, kw_only=True, gc=False, tag="thinking"):
    """A piece of the model's thinking, as it comes. Not stored."""

    durable: ClassVar[bool] = False
    text: str


class Message(Event, frozen=True, kw_only=True, gc=False, tag="message"):
    """One finished message of the assistant. ``subagent`` is the tool call it answers to, ``None`` for the main one."""

    text: str
    subagent: str | None = None


class ToolCall(Event, frozen=True, kw_only=True, gc=False, tag="tool_call"):
    """The model called a tool."""

    id: str
    name: str
    input: dict[str, Any]
    subagent: str | None = None


class ToolResult(Event, frozen=True, kw_only=True, gc=False, tag="tool_result"):
    """A tool returned."""

    id: str
    text: str
    is_error: bool = False


class Question(Event, frozen=True, kw_only=True, gc=False, tag="question"):
    """The assistant wants to use a tool that its permissions do not cover, and waits for an answer.

    ``call`` is the id of the ``ToolCall`` it is about, where the provider named it.
    """

    id: str
    tool: str
    input: dict[str, Any]
    why: str | None = None
    call: str | None = None


class Answered(Event, frozen=True, kw_only=True, gc=False, tag="answered"):
    """A ``Question`` was answered. ``by`` says who decided: the caller, or nobody (then the answer is no)."""

    id: str
    tool: str
    allowed: bool
    by: str
    why: str | None = None
    call: str | None = None


class UsageSeen(Event, frozen=True, kw_only=True, gc=False, tag="usage"):
    """Tokens of one model request, as reported when its answer begins, and again when it ends.

    ``stop_reason`` says why it ended, and is ``None`` before: its ``output_tokens`` then mean nothing yet.
    """

    message_id: str | None
    usage: TokenUsage
    model: str | None = None
    subagent: str | None = None
    stop_reason: str | None = None


class LimitSeen(Event, frozen=True, kw_only=True, gc=False, tag="limit_seen"):
    """A usage window was reported. ``overage`` true means extra, paid usage is being spent; ``None`` means not said."""

    limit: LimitReading
    overage: bool | None = None


class LimitNear(Event, frozen=True, kw_only=True, gc=False, tag="limit_near"):
    """The run begins although a usage window is nearly as full as ``limits.pause_at_percent``, or fuller.

    ``used`` is a share from 0 to 1, by the newest report; ``resets_at`` is ISO 8601 UTC.
    """

    window: str
    used: float
    pause_at_percent: int
    resets_at: str | None = None


class Retry(Event, frozen=True, kw_only=True, gc=False, tag="retry"):
    """A request is about to be repeated after ``delay_s`` seconds.

    ``by`` is ``provider`` where the provider repeats on its own, and ``oneseat`` where the prompt is sent in a new attempt.
    """

    attempt: int
    max_attempts: int | None
    delay_s: float | None
    status: int | None
    cause: str
    by: Literal["provider", "oneseat"] = "provider"


#: The ``cause`` of a ``ModelFallback`` that nobody announced: it was seen by the name that the answer carries.
UNANNOUNCED = "not_requested"


class ModelFallback(Event, frozen=True, kw_only=True, gc=False, tag="model_fallback"):
    """Another model answers in place of the one that was asked for. ``by`` says who decided so, as for ``Retry``.

    ``cause`` is the code of the failure before it, or ``UNANNOUNCED``.
    """

    model: str | None
    fallback: str
    cause: str
    by: Literal["provider", "oneseat"] = "oneseat"


class Progress(Event, frozen=True, kw_only=True, gc=False, tag="progress"):
    """Activity without content, such as "requesting", "compacting" or "queued" (behind other runs).

    It measures output that is not streamed as text: bytes of a tool's input, and the provider's own estimate of thinking
    tokens.
    """

    durable: ClassVar[bool] = False
    state: str
    tool_input_bytes: int = 0
    thinking_tokens: int = 0


class Unknown(Event, frozen=True, kw_only=True, gc=False, tag="unknown"):
    """A line this version does not know. It is kept (redacted, cut at 64 kB), never dropped."""

    raw: str
    why: str


class Stderr(Event, frozen=True, kw_only=True, gc=False, tag="stderr"):
    """The end of what the provider printed on its standard error; comes when its process is gone, if it printed anything.

    Redacted, at most 8,000 characters; ``cut`` says that there was more before it.
    """

    text: str
    cut: bool = False


class TurnEnded(Event, frozen=True, kw_only=True, gc=False, tag="turn_ended"):
    """How a turn ended, as the provider reports it; the rules decide whether that is a success. A cost that cannot be is unknown.

    ``error`` is set when the provider reported a failure. Costs are US dollars at list price for the whole process so far.
    ``cost_models`` are the models whose requests the cost covers, as far as the provider names them. ``unfinished`` names
    background work that was still running.
    """

    text: str
    structured: Any = None
    error: ErrorInfo | None = None
    usage: TokenUsage | None = None
    list_cost_usd: float | None = None
    cost_models: tuple[str, ...] = ()
    web_searches: int = 0
    model: str | None = None
    denials: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "list_cost_usd", cost_or_none(self.list_cost_usd))


class Finished(Event, frozen=True, kw_only=True, gc=False, tag="finished"):
    """The run completed. Always the last event."""

    result: RunResult


class Failed(Event, frozen=True, kw_only=True, gc=False, tag="failed"):
    """The run ended without a trustworthy answer. Always the last event; ``result.error`` says why."""

    result: RunResult
