"""OpenAI's chat completions API, which many local servers implement too, without a network. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oneseat.testing.replies import Answer, Block, Limits, Text, Thinking, ToolUse

from . import openai_errors
from .common import (
    Ask,
    BadRequestError,
    Part,
    all_input_tokens,
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
    thinking_tokens,
    tool_id,
)

PING = b": keep-alive\n\n"
failure = openai_errors.failure
_CREATED_AT = 1767225600
#: Stop reasons in this API's terms.
_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "end_turn": "stop",
    "tool_use": "tool_calls",
}


def parse(body: bytes, path: str) -> Ask:  # noqa: ARG001 - other APIs name the model there
    """Parse a request. Raises ``BadRequestError``."""
    request = object_of(body)
    model = model_of(request)
    messages = objects_in(request.get("messages"))
    if not messages:
        raise BadRequestError("Missing required parameter: 'messages'.")
    from_user = [block for each in messages if each.get("role") == "user" for block in _blocks(each)]
    bound = request.get("max_completion_tokens", request.get("max_tokens"))
    return Ask(
        model=model,
        stream=request.get("stream") is True,
        last_user_text=last_text(from_user),
        ends_with_tool_result=messages[-1].get("role") == "tool",
        output_schema=object_at(request, "response_format", "json_schema", "schema"),
        bound=bound_of(bound),
        tools=names_in(request.get("tools"), "function"),
        wants_usage=object_at(request, "stream_options").get("include_usage") is True,
    )


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [{"text": content}] if isinstance(content, str) else objects_in(content)


def whole(answer: Answer, ask: Ask, message_id: str) -> dict[str, Any]:
    """The answer as one JSON object, for a request without streaming."""
    calls = [
        _call(block, message_id, index)
        for index, block in enumerate(answer.content)
        if isinstance(block, ToolUse)
    ]
    message = {
        "role": "assistant",
        "content": _joined(answer, Text) or None,
        "refusal": None,
        **({"reasoning_content": thought} if (thought := _joined(answer, Thinking)) else {}),
        **({"tool_calls": calls} if calls else {}),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return _envelope(ask, message_id, "chat.completion") | {"choices": [choice], "usage": _usage(answer)}


def _joined(answer: Answer, kind: type[Text | Thinking]) -> str:
    return "".join("".join(pieces_of(block)) for block in answer.content if isinstance(block, kind))


def _call(block: ToolUse, message_id: str, index: int) -> dict[str, Any]:
    function = {"name": block.name, "arguments": "".join(pieces_of(block))}
    return {"id": tool_id("call_", message_id, index), "type": "function", "function": function}


def parts(answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
    """The answer as the events of a stream, in order."""
    envelope = _envelope(ask, message_id, "chat.completion.chunk")
    if ask.wants_usage:
        envelope["usage"] = None

    def chunk(delta: dict[str, Any], finish: str | None = None, *, is_delta: bool = False) -> Part:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Part(envelope | {"choices": [choice]}, is_delta=is_delta, named=False)

    yield chunk({"role": "assistant", "content": ""})
    calls = 0
    for index, block in enumerate(answer.content):
        for delta, is_delta in _deltas(block, message_id, index, calls):
            yield chunk(delta, is_delta=is_delta)
        calls += isinstance(block, ToolUse)
    yield chunk({}, _finish(answer))
    if ask.wants_usage:
        yield Part(envelope | {"choices": [], "usage": _usage(answer)}, named=False)
    yield Part(None)


def _deltas(
    block: Block, message_id: str, index: int, nth_call: int
) -> Iterator[tuple[dict[str, Any], bool]]:
    """The deltas of a block, each with whether it carries a piece of the content."""
    if isinstance(block, ToolUse):
        opening = _call(block, message_id, index) | {
            "index": nth_call,
            "function": {"name": block.name, "arguments": ""},
        }
        yield {"tool_calls": [opening]}, False
    for piece in pieces_of(block):
        if isinstance(block, ToolUse):
            yield {"tool_calls": [{"index": nth_call, "function": {"arguments": piece}}]}, True
        else:
            yield {"reasoning_content" if isinstance(block, Thinking) else "content": piece}, True


def _envelope(ask: Ask, message_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-" + message_id.removeprefix("msg_"),
        "object": kind,
        "created": _CREATED_AT,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _finish(answer: Answer) -> str:
    if answer.stop_reason is not None:
        return _FINISH.get(answer.stop_reason, answer.stop_reason)
    return "tool_calls" if calls_tool(answer) else "stop"


def _usage(answer: Answer) -> dict[str, Any]:
    read, written = all_input_tokens(answer), output_tokens(answer)
    usage = answer.usage
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": thinking_tokens(answer)},
    }


def broken() -> Part:
    """An error that arrives after the stream has begun."""
    error = {"message": "Overloaded", "type": "server_error", "param": None, "code": "server_is_overloaded"}
    return Part({"error": error}, named=False)


def limit_headers(limits: Limits, started_at: float) -> list[tuple[str, str]]:  # noqa: ARG001 - only a plan has windows
    """The usage window headers: none with an API key."""
    return []
