"""The Messages API without a network: parses requests and encodes replies. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oneseat.testing.replies import Answer, Block, Failure, Limits, Text, Thinking, ToolUse, Usage

from .common import (
    Ask,
    BadRequestError,
    Part,
    bound_of,
    calls_tool,
    last_text,
    model_of,
    names_in,
    object_at,
    object_of,
    objects_in,
    output_tokens,
    pieces_of,
    tool_id,
)

_SIGNATURE = "b25lc2VhdC1zaW11bGF0b3I="
#: The abbreviations in headers of the windows that report their own share.
_SHORT_WINDOW = {"five_hour": "5h", "seven_day": "7d"}
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def parse(body: bytes, path: str) -> Ask:  # noqa: ARG001 - other APIs name the model there
    """Parse a request. Raises ``BadRequestError``."""
    request = object_of(body)
    model = model_of(request)
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadRequestError("messages: Input should be a valid list")
    from_user = [_blocks(message) for message in messages if message.get("role") == "user"]
    last = from_user[-1] if from_user else []
    tool = _structure_tool(request.get("tools"))
    return Ask(
        model=model,
        stream=request.get("stream") is True,
        last_user_text=last_text([block for blocks in from_user for block in blocks]),
        ends_with_tool_result=any(block.get("type") == "tool_result" for block in last),
        output_schema=tool if tool is not None else object_at(request, "output_config", "format", "schema"),
        by_tool=tool is not None,
        bound=bound_of(request.get("max_tokens")),
        tools=names_in(request.get("tools")),
    )


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else objects_in(content)


def _structure_tool(tools: object) -> dict[str, Any] | None:
    """The schema of the tool that the official CLI uses to request a structured answer."""
    for tool in objects_in(tools):
        if tool.get("name") == "StructuredOutput":
            return object_at(tool, "input_schema")
    return None


def whole(answer: Answer, ask: Ask, message_id: str) -> dict[str, Any]:
    """The answer as one JSON object, for a request without streaming."""
    content = [_whole(block, message_id, index) for index, block in enumerate(answer.content)]
    return _envelope(answer, ask.model, message_id) | {
        "content": content,
        "stop_reason": _stop_reason(answer),
        "usage": _usage(answer.usage, output_tokens(answer)),
    }


def parts(answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
    """The answer as the events of a stream, in order."""
    yield Part({"type": "message_start", "message": _envelope(answer, ask.model, message_id)})
    for index, block in enumerate(answer.content):
        yield from _block_parts(block, message_id, index)
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield Part({"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens(answer)}})
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
        call = tool_id("toolu_", message_id, index)
        return {"type": "tool_use", "id": call, "name": block.name, "input": block.input}
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


#: The delta of a block, and the field its text goes into.
_DELTAS: dict[type, tuple[str, str]] = {
    Text: ("text_delta", "text"),
    Thinking: ("thinking_delta", "thinking"),
    ToolUse: ("input_json_delta", "partial_json"),
}


def _deltas(block: Block) -> Iterator[dict[str, Any]]:
    kind, field = _DELTAS[type(block)]
    for piece in pieces_of(block):
        yield {"type": kind, field: piece}
    if isinstance(block, Thinking):
        yield {"type": "signature_delta", "signature": _SIGNATURE}


def _stop_reason(answer: Answer) -> str:
    if answer.stop_reason is not None:
        return answer.stop_reason
    return "tool_use" if calls_tool(answer) else "end_turn"


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


def failure(failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:
    """The status and the body of an error in the API's own shape."""
    error = {"type": failure.kind, "message": failure.message}
    return failure.status, {"type": "error", "error": error, "request_id": request_id}


def broken() -> Part:
    """An error that arrives after the stream has begun."""
    return Part({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})


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
