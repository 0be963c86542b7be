"""The typed messages of `codex app-server`: JSON-RPC without its version field, one object per line.

Only fields that oneseat uses are named, all are optional, and unknown ones are ignored, so a new CLI version cannot break
the decoding of unchanged fields. Measured on 0.169.0 and checked against the schema that this version generates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from oneseat._util import tolerant
from oneseat.host.processes.lines import lines_of
from oneseat.providers.cli_common.lines import Undecoded


class RpcError(msgspec.Struct, frozen=True, gc=False):
    """The error of a rejected request."""

    code: int = 0
    message: str = ""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """One line: a request of the CLI (``method`` and ``id``), a notification (``method`` only) or an answer (no ``method``)."""

    id: int | str | None = None
    method: str | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")
    result: msgspec.Raw = msgspec.Raw(b"{}")
    error: RpcError | None = None


Line = Envelope | Undecoded


class Params(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of all parameters. ``thread_id`` tells the run's own thread from those of its subagents."""

    thread_id: str | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """One file in a change."""

    path: str = ""
    kind: Any = None


class McpFailure(msgspec.Struct, frozen=True, gc=False):
    """Why a call of an MCP tool failed."""

    message: str = ""


class McpResult(msgspec.Struct, frozen=True, gc=False):
    """What an MCP tool answered."""

    content: Any = None


class Item(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One item of a turn: a message, a thought, a command, a change, a tool call."""

    type: str = ""
    id: str = ""
    text: str | None = None
    command: str | None = None
    cwd: str | None = None
    aggregated_output: str | None = None
    exit_code: int | None = None
    status: str | None = None
    changes: list[Change] = []
    server: str | None = None
    tool: str | None = None
    arguments: Any = None
    result: McpResult | None = None
    error: McpFailure | None = None
    query: str | None = None
    prompt: str | None = None


class ItemParams(Params, frozen=True, gc=False):
    """An item has started or ended."""

    item: Item = Item()


class DeltaParams(Params, frozen=True, gc=False):
    """A piece of an item."""

    delta: str = ""


class Tokens(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Token counts. ``input_tokens`` includes those read from and written to the cache."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    output_tokens: int | None = None


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """The token usage of the model's last answer."""

    last: Tokens = Tokens()


class UsageParams(Params, frozen=True, gc=False):
    """Parameters of the notification that follows each answer of the model."""

    token_usage: TokenUsage = TokenUsage()


class Window(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """How full one window is, in percent. ``resets_at`` is in seconds since the epoch."""

    used_percent: float | None = None
    window_duration_mins: int | None = None
    resets_at: float | None = None


class Credits(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Paid credits of the account."""

    has_credits: bool | None = None
    unlimited: bool | None = None


class RateLimits(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The windows of one limit."""

    limit_id: str | None = None
    primary: Window | None = None
    secondary: Window | None = None
    credits: Credits | None = None
    plan_type: str | None = None


class LimitParams(Params, frozen=True, gc=False):
    """The windows from the headers of the last answer."""

    rate_limits: RateLimits = RateLimits()


class LimitAnswer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The answer to `account/rateLimits/read`."""

    rate_limits: RateLimits = RateLimits()
    rate_limits_by_limit_id: dict[str, RateLimits] | None = None


class TurnError(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An error. ``codex_error_info`` is its kind as a string, or an object with the kind as its only key."""

    message: str = ""
    codex_error_info: Any = None
    additional_details: str | None = None


class ErrorParams(Params, frozen=True, gc=False):
    """An error occurred; with ``will_retry`` the turn goes on."""

    error: TurnError = TurnError()
    will_retry: bool = False


class Turn(msgspec.Struct, frozen=True, gc=False):
    """A turn and how it ended: `completed`, `failed`, `interrupted`."""

    id: str = ""
    status: str = ""
    error: TurnError | None = None


class TurnParams(Params, frozen=True, gc=False):
    """A turn has started or ended."""

    turn: Turn = Turn()


class RerouteParams(Params, frozen=True, gc=False):
    """A different model answers than the requested one."""

    from_model: str | None = None
    to_model: str | None = None
    reason: Any = None


class ServerParams(Params, frozen=True, gc=False):
    """The startup state of an MCP server."""

    name: str = ""
    status: str = ""


class ApprovalParams(Params, frozen=True, gc=False):
    """The CLI asks whether a command or a change may leave the sandbox."""

    item_id: str | None = None
    command: str | None = None
    cwd: str | None = None
    reason: str | None = None


class ElicitationMeta(msgspec.Struct, frozen=True, gc=False):
    """The subject of an MCP server's question."""

    codex_approval_kind: str | None = None
    tool_name: str | None = None
    tool_params: Any = None


class ElicitationParams(Params, frozen=True, gc=False):
    """An MCP server asks a question, or a call of its tool needs approval."""

    server_name: str | None = None
    message: str | None = None
    meta: ElicitationMeta | None = msgspec.field(default=None, name="_meta")


class Thread(msgspec.Struct, frozen=True, gc=False):
    """One conversation."""

    id: str = ""


class ThreadAnswer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The answer to `thread/start` and `thread/resume`."""

    thread: Thread = Thread()
    model: str | None = None
    model_provider: str | None = None


class TurnAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer to `turn/start`."""

    turn: Turn = Turn()


_decode = msgspec.json.Decoder(Envelope).decode


def decode(line: bytes) -> Line:
    """Decode one line. Never raises: a line that is not a message is returned as ``Undecoded``."""
    try:
        return _decode(line)
    except tolerant.UNREADABLE:
        return Undecoded(line, "not a message of the app-server")


def decode_all(block: bytes) -> list[Line]:
    """Decode a block of whole lines, each line separately: a message keeps the bytes alive that it was decoded from."""
    lines = lines_of(block)
    try:
        return [_decode(line) for line in lines]
    except tolerant.UNREADABLE:
        return [message for line in lines for message in _decode_tolerantly(line)]


def _decode_tolerantly(line: bytes) -> Iterator[Line]:
    """The readable messages in a line, after an ``Undecoded`` for the rest: placed after the end of a turn, it would be lost."""
    strict = decode(line)
    if not isinstance(strict, Undecoded):
        yield strict
        return
    found = tolerant.find_objects(line)
    if found.other or not found.objects:
        yield strict
    yield from (tolerant.read(fields, Envelope) for fields in found.objects)
