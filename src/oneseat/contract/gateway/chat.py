"""A chat request and its answer, as every API of the gateway means them: each API reads into the one and writes from the other."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment

#: Why an answer ended.
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]
#: How the earlier part of a conversation reached the model.
History = Literal["fresh", "continued", "parked", "rendered"]


class ToolUse(msgspec.Struct, frozen=True):
    """A call of one of the client's tools. ``name`` is the client's own name for it."""

    id: str
    name: str
    input: Any


class ToolAnswer(msgspec.Struct, frozen=True):
    """What the client's tool returned for the call with this id."""

    id: str
    text: str
    is_error: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a conversation. The user's has ``attachments`` and ``answers``, the assistant's has ``calls``."""

    role: Literal["user", "assistant"]
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    calls: tuple[ToolUse, ...] = ()
    answers: tuple[ToolAnswer, ...] = ()


class ClientTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the client runs itself. ``schema`` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """One request. The last of ``turns`` is the user's.

    ``schema`` is what the whole answer must fit, ``forced`` names the tools of which the answer must call one. ``stop`` are texts
    at which the answer ends. ``ignored`` names the parameters that the seat cannot follow.
    """

    model: str
    turns: tuple[Turn, ...]
    system: str | None = None
    tools: tuple[ClientTool, ...] = ()
    forced: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    ignored: tuple[str, ...] = ()


class Begun(msgspec.Struct, frozen=True):
    """The model has begun to answer. ``usage`` is what it has read so far."""

    model: str
    usage: TokenUsage


class Said(msgspec.Struct, frozen=True):
    """A piece of the answer."""

    text: str


class Called(msgspec.Struct, frozen=True):
    """A whole call of a client's tool."""

    call: ToolUse


class Ended(msgspec.Struct, frozen=True):
    """The answer is over, and nothing of it comes after this. ``sequence`` is the text that stopped it."""

    reason: StopReason
    usage: TokenUsage
    sequence: str | None = None


class Broke(msgspec.Struct, frozen=True):
    """The answer failed, and nothing of it comes after this."""

    error: ErrorInfo


Piece: TypeAlias = Begun | Said | Called | Ended | Broke


class Answering(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an answer before its first piece, and goes into the headers."""

    run_id: str
    wallet: str
    history: History
