"""Shared by all APIs of the simulator: parsed requests, replies adapted to them, and stream events."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from oneseat.testing.replies import (
    Answer,
    Block,
    Echo,
    Filler,
    Reply,
    Structured,
    Text,
    Thinking,
    ToolRound,
    ToolUse,
)

from .smallest import smallest

_FILLER_WORD = "oneseat "


class BadRequestError(ValueError):
    """Raised when a body is not a valid request of its API. Its text is the API's error message."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a request that decide the answer.

    ``by_tool``: the structure is requested through a tool, not in the answer's text. ``bound`` is the maximum number of output
    tokens. ``wants_usage`` is false if the stream must not report usage. ``tools`` are the names of the offered tools.
    """

    model: str
    stream: bool
    last_user_text: str
    ends_with_tool_result: bool
    output_schema: dict[str, Any] | None = None
    by_tool: bool = False
    bound: int | None = None
    wants_usage: bool = True
    tools: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """One server-sent event. ``is_delta`` marks the pieces that ``pace_s`` and ``fault_after`` count."""

    event: dict[str, Any] | None
    is_delta: bool = False
    named: bool = True

    def encode(self) -> bytes:
        """The event as bytes on the wire; the end marker of a stream when ``event`` is ``None``."""
        if self.event is None:
            return b"data: [DONE]\n\n"
        head = b"event: %s\n" % self.event["type"].encode() if self.named else b""
        return b"%sdata: %s\n\n" % (head, msgspec.json.encode(self.event))


def object_of(body: bytes) -> dict[str, Any]:
    """A body as a JSON object. Raises ``BadRequestError``."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"The request body is not valid JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequestError("The request body is not a JSON object")
    return request


def model_of(request: dict[str, Any]) -> str:
    """The model that a body names. Raises ``BadRequestError``."""
    model = request.get("model")
    if not isinstance(model, str):
        raise BadRequestError("model: Field required")
    return model


def objects_in(value: object) -> list[dict[str, Any]]:
    """The objects in a list; empty when ``value`` is not a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def object_at(value: object, *names: str) -> dict[str, Any]:
    """The object at this path; empty when there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def names_in(tools: object, *path: str) -> tuple[str, ...]:
    """The names of the tools in a list, each at ``path`` of its entry."""
    found = (object_at(tool, *path).get("name") for tool in objects_in(tools))
    return tuple(name for name in found if isinstance(name, str))


def bound_of(value: object) -> int | None:
    """The maximum number of output tokens; ``None`` when the value is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def last_text(blocks: list[dict[str, Any]]) -> str:
    """The text of the last block that has text."""
    return next((block["text"] for block in reversed(blocks) if isinstance(block.get("text"), str)), "")


def settle(reply: Reply, ask: Ask) -> Reply:
    """The reply with everything that depends on the request filled in: tool rounds, echoes, structured values, token limit."""
    if isinstance(reply, ToolRound):
        reply = (
            reply.answer
            if ask.ends_with_tool_result
            else Answer(content=(reply.call,), limits=reply.answer.limits)
        )
    if not isinstance(reply, Answer):
        return reply
    settled = msgspec.structs.replace(reply, content=tuple(_settled(block, ask) for block in reply.content))
    return settled if ask.bound is None else _cut(settled, ask.bound)


def _settled(block: Block, ask: Ask) -> Block:
    if isinstance(block, Echo):
        return Text(ask.last_user_text)
    if isinstance(block, Filler):
        text = _FILLER_WORD * (block.kib * 1024 // len(_FILLER_WORD))
        return Text(text, delta_chars=len(text))
    if isinstance(block, Structured):
        value = block.value if block.value is not None else smallest(ask.output_schema or {})
        if ask.by_tool:
            return ToolUse("StructuredOutput", value)
        return Text(msgspec.json.encode(value).decode())
    if isinstance(block, ToolUse) and block.name not in ask.tools:
        # The same script works for clients that offer a function by its own name and for those that prepend a server's name.
        named = [name for name in ask.tools if name.endswith(f"__{block.name}")]
        return msgspec.structs.replace(block, name=named[0]) if named else block
    return block


def _cut(answer: Answer, bound: int) -> Answer:
    """The answer cut at its token limit, like a real server does, possibly in the middle of a word."""
    if output_tokens(answer) <= bound:
        return answer
    kept: list[Block] = []
    left = bound
    for block in answer.content:
        pieces = pieces_of(block)
        if len(pieces) <= left or answer.usage.output_tokens is not None:
            kept.append(block)
        elif isinstance(block, Text):
            kept.append(msgspec.structs.replace(block, text="".join(pieces[:left])))
        left = max(0, left - len(pieces))
    usage = msgspec.structs.replace(answer.usage, output_tokens=bound)
    return msgspec.structs.replace(answer, content=tuple(kept), stop_reason="max_tokens", usage=usage)


def pieces_of(block: Block) -> list[str]:
    """The pieces in which a block is sent; joined they are its text, or a tool's input as JSON."""
    if isinstance(block, Text):
        if block.delta_chars is None:
            return _words(block.text)
        size = max(1, block.delta_chars)
        return [block.text[start : start + size] for start in range(0, len(block.text), size)]
    if isinstance(block, Thinking):
        return _words(block.text)
    if isinstance(block, ToolUse):
        arguments = msgspec.json.encode(block.input).decode()
        middle = len(arguments) // 2
        return [arguments[:middle], arguments[middle:]]
    raise TypeError(f"a block that `settle` has not settled: {block!r}")


def _words(text: str) -> list[str]:
    """Each word with the white space before it, so that joining them gives the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def calls_tool(answer: Answer) -> bool:
    """Whether the answer calls a tool."""
    return any(isinstance(block, ToolUse) for block in answer.content)


def output_tokens(answer: Answer) -> int:
    """How many output tokens the answer reports."""
    if answer.usage.output_tokens is not None:
        return answer.usage.output_tokens
    # The signature of a thinking block is sent as a separate piece.
    signatures = sum(isinstance(block, Thinking) for block in answer.content)
    return signatures + sum(len(pieces_of(block)) for block in answer.content)


def thinking_tokens(answer: Answer) -> int:
    """How many of the output tokens are thinking tokens."""
    return sum(len(pieces_of(block)) + 1 for block in answer.content if isinstance(block, Thinking))


def all_input_tokens(answer: Answer) -> int:
    """All input tokens, including those read from or written to a cache."""
    usage = answer.usage
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens + written + usage.cache_read_tokens


def tool_id(prefix: str, message_id: str, index: int) -> str:
    """The id of a tool call."""
    return prefix + re.sub(r"\W", "_", message_id.removeprefix("msg_")) + f"_{index}"
