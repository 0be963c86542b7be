"""The Messages API without a network: what a request asks, and what a reply looks like on the wire. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from .replies import (
    Answer,
    Block,
    Echo,
    Filler,
    Limits,
    Reply,
    Structured,
    Text,
    Thinking,
    ToolRound,
    ToolUse,
    Usage,
)

_SIGNATURE = "b25lc2VhdC1zaW11bGF0b3I="
_FILLER_WORD = "oneseat "
#: How the headers abbreviate a window that has a share of its own.
_SHORT_WINDOW = {"five_hour": "5h", "seven_day": "7d"}


class BadRequestError(ValueError):
    """Raised when a body is not a Messages request. Its text is the API's error message."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a Messages request that decide the answer."""

    model: str
    stream: bool
    last_user_text: str
    ends_with_tool_result: bool
    output_schema: dict[str, Any] | None


class Part(msgspec.Struct, frozen=True):
    """One server-sent event. ``is_delta`` marks the pieces that ``pace_s`` and ``fault_after`` count."""

    event: dict[str, Any]
    is_delta: bool = False

    def encode(self) -> bytes:
        """The event as it goes over the wire."""
        return b"event: %s\ndata: %s\n\n" % (self.event["type"].encode(), msgspec.json.encode(self.event))


def parse(body: bytes) -> Ask:
    """What a request asks. Raises ``BadRequestError``."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"The request body is not valid JSON: {error}") from error
    if not isinstance(request, dict):
        raise BadRequestError("The request body is not a JSON object")
    if not isinstance(request.get("model"), str):
        raise BadRequestError("model: Field required")
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadRequestError("messages: Input should be a valid list")
    return _ask(request, messages)


def _ask(request: dict[str, Any], messages: list[dict[str, Any]]) -> Ask:
    from_user = [_blocks(message) for message in messages if message.get("role") == "user"]
    texts = [block["text"] for blocks in from_user for block in blocks if isinstance(block.get("text"), str)]
    last = from_user[-1] if from_user else []
    return Ask(
        model=request["model"],
        stream=request.get("stream") is True,
        last_user_text=texts[-1] if texts else "",
        ends_with_tool_result=any(block.get("type") == "tool_result" for block in last),
        output_schema=_output_schema(request.get("tools")),
    )


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _output_schema(tools: object) -> dict[str, Any] | None:
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, dict) and tool.get("name") == "StructuredOutput":
            schema = tool.get("input_schema")
            return schema if isinstance(schema, dict) else {}
    return None


def settle(reply: Reply, ask: Ask) -> Reply:
    """The reply with everything that depends on the request filled in: tool rounds, echoes, structured values."""
    if isinstance(reply, ToolRound):
        reply = (
            reply.answer
            if ask.ends_with_tool_result
            else Answer(content=(reply.call,), limits=reply.answer.limits)
        )
    if isinstance(reply, Answer):
        return msgspec.structs.replace(reply, content=tuple(_settled(block, ask) for block in reply.content))
    return reply


def _settled(block: Block, ask: Ask) -> Block:
    if isinstance(block, Echo):
        return Text(ask.last_user_text)
    if isinstance(block, Filler):
        text = _FILLER_WORD * (block.kib * 1024 // len(_FILLER_WORD))
        return Text(text, delta_chars=len(text))
    if isinstance(block, Structured):
        value = block.value if block.value is not None else smallest(ask.output_schema or {})
        if ask.output_schema is not None:
            return ToolUse("StructuredOutput", value)
        return Text(msgspec.json.encode(value).decode())
    return block


_SMALLEST_BY_TYPE: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}


def smallest(schema: dict[str, Any]) -> Any:
    """The smallest value that fits a plain JSON schema (objects, arrays, scalars, ``const`` and ``enum``)."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: smallest(properties.get(name, {})) for name in schema.get("required", properties)}
    if kind == "array":
        return [smallest(schema.get("items", {}))] * schema.get("minItems", 1)
    return _SMALLEST_BY_TYPE.get(kind)


def message(answer: Answer, model: str, message_id: str) -> dict[str, Any]:
    """The whole answer as one JSON object, for a request without streaming."""
    content = [_whole(block, message_id, index) for index, block in enumerate(answer.content)]
    return _envelope(answer, model, message_id) | {
        "content": content,
        "stop_reason": _stop_reason(answer),
        "usage": _usage(answer.usage, _output_tokens(answer)),
    }


def parts(answer: Answer, model: str, message_id: str) -> Iterator[Part]:
    """The answer as the events of a stream, in order."""
    yield Part({"type": "message_start", "message": _envelope(answer, model, message_id)})
    for index, block in enumerate(answer.content):
        yield from _block_parts(block, message_id, index)
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield Part({"type": "message_delta", "delta": delta, "usage": {"output_tokens": _output_tokens(answer)}})
    yield Part({"type": "message_stop"})


def _envelope(answer: Answer, model: str, message_id: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(answer.usage, 1),
    }


def _block_parts(block: Block, message_id: str, index: int) -> Iterator[Part]:
    whole = _whole(block, message_id, index)
    yield Part({"type": "content_block_start", "index": index, "content_block": _opening(whole)})
    for delta in _deltas(block):
        yield Part({"type": "content_block_delta", "index": index, "delta": delta}, is_delta=True)
    yield Part({"type": "content_block_stop", "index": index})


def _whole(block: Block, message_id: str, index: int) -> dict[str, Any]:
    if isinstance(block, ToolUse):
        tool_id = "toolu_" + re.sub(r"\W", "_", message_id.removeprefix("msg_")) + f"_{index}"
        return {"type": "tool_use", "id": tool_id, "name": block.name, "input": block.input}
    if isinstance(block, Thinking):
        return {"type": "thinking", "thinking": block.text, "signature": _SIGNATURE}
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    raise TypeError(f"a block that `settle` has not settled: {block!r}")


#: What a block looks like before its deltas.
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _opening(whole: dict[str, Any]) -> dict[str, Any]:
    return whole | _EMPTY[whole["type"]]


def _deltas(block: Block) -> Iterator[dict[str, Any]]:
    if isinstance(block, Text):
        for piece in _pieces(block):
            yield {"type": "text_delta", "text": piece}
    elif isinstance(block, Thinking):
        for piece in _words(block.text):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": _SIGNATURE}
    elif isinstance(block, ToolUse):
        arguments = msgspec.json.encode(block.input).decode()
        middle = len(arguments) // 2
        for piece in (arguments[:middle], arguments[middle:]):
            yield {"type": "input_json_delta", "partial_json": piece}


def _pieces(block: Text) -> list[str]:
    if block.delta_chars is None:
        return _words(block.text)
    size = max(1, block.delta_chars)
    return [block.text[start : start + size] for start in range(0, len(block.text), size)]


def _words(text: str) -> list[str]:
    """Each word with the white space before it; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+$", text)


def _stop_reason(answer: Answer) -> str:
    if answer.stop_reason is not None:
        return answer.stop_reason
    return "tool_use" if any(isinstance(block, ToolUse) for block in answer.content) else "end_turn"


def _output_tokens(answer: Answer) -> int:
    if answer.usage.output_tokens is not None:
        return answer.usage.output_tokens
    return sum(1 for block in answer.content for _ in _deltas(block))


def _usage(usage: Usage, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def error_body(kind: str, text: str, request_id: str) -> dict[str, Any]:
    """An error in the API's own shape."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}


def error_event(kind: str, text: str) -> Part:
    """An error that arrives after the stream has begun."""
    return Part({"type": "error", "error": {"type": kind, "message": text}})


PING = Part({"type": "ping"})


def count_tokens(body: bytes) -> dict[str, int]:
    """A deterministic token count: a quarter of the bytes."""
    return {"input_tokens": len(body) // 4}


def limit_headers(limits: Limits, started_at: float) -> list[tuple[str, str]]:
    """The headers a plan's server sends with every answer. ``started_at`` is in seconds since 1970."""
    prefix = "anthropic-ratelimit-unified"
    resets_at = str(round(started_at) + limits.resets_in_s)
    headers = [
        (f"{prefix}-status", limits.status),
        (f"{prefix}-reset", resets_at),
        (f"{prefix}-representative-claim", limits.window),
        (f"{prefix}-overage-status", limits.overage),
    ]
    if limits.overage == "rejected":
        headers.append((f"{prefix}-overage-disabled-reason", "org_level_disabled"))
    else:
        headers.append((f"{prefix}-overage-reset", str(round(started_at) + 30 * 24 * 3600)))
    if limits.overage_in_use:
        headers.append((f"{prefix}-overage-in-use", "true"))
    for share in limits.shares:
        window = f"{prefix}-{_SHORT_WINDOW[share.window]}"
        headers.append((f"{window}-utilization", f"{share.used:g}"))
        headers.append((f"{window}-reset", str(round(started_at) + share.resets_in_s)))
        if share.threshold is not None:
            headers.append((f"{window}-surpassed-threshold", f"{share.threshold:g}"))
    return headers
