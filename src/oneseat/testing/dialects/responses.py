"""OpenAI's Responses API without a network. Pure functions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from oneseat.testing.replies import Answer, Block, Limits, Text, Thinking, ToolUse

from . import openai_errors
from .common import (
    Ask,
    BadRequestError,
    Part,
    all_input_tokens,
    bound_of,
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
#: A constant time, so that the same request gets the same bytes: 2026-01-01.
_CREATED_AT = 1767225600
_OVERFLOW = "Your input exceeds the context window of this model. Please adjust your input and try again."
_INCOMPLETE = {"max_tokens": "max_output_tokens"}


def parse(body: bytes, path: str) -> Ask:  # noqa: ARG001 - other APIs name the model there
    """Parse a request. Raises ``BadRequestError``."""
    request = object_of(body)
    model = model_of(request)
    given = request.get("input")
    if not isinstance(given, str | list):
        raise BadRequestError("Missing required parameter: 'input'.")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else objects_in(given)
    from_user = [block for item in items if item.get("role") == "user" for block in _blocks(item)]
    return Ask(
        model=model,
        stream=request.get("stream") is True,
        last_user_text=last_text(from_user),
        ends_with_tool_result=bool(items) and str(items[-1].get("type", "")).endswith("_output"),
        output_schema=object_at(request, "text", "format", "schema"),
        bound=bound_of(request.get("max_output_tokens")),
        tools=names_in(request.get("tools")),
    )


def _blocks(item: dict[str, Any]) -> list[dict[str, Any]]:
    content = item.get("content")
    return [{"text": content}] if isinstance(content, str) else objects_in(content)


def whole(answer: Answer, ask: Ask, message_id: str) -> dict[str, Any]:
    """The answer as one JSON object, for a request without streaming."""
    return object_at(_last(answer, ask, message_id), "response")


def parts(answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
    """The answer as the events of a stream, in order."""
    number = itertools.count()
    for part in _parts(answer, ask, message_id):
        event = {**part.event, "sequence_number": next(number)} if part.event is not None else None
        yield msgspec.structs.replace(part, event=event)


def _parts(answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
    begun = _response(ask, message_id) | {"status": "in_progress"}
    yield Part({"type": "response.created", "response": begun})
    yield Part({"type": "response.in_progress", "response": begun})
    for index, block in enumerate(answer.content):
        yield from _item_parts(answer, block, message_id, index)
    yield Part(_last(answer, ask, message_id))


def _item_parts(answer: Answer, block: Block, message_id: str, index: int) -> Iterator[Part]:
    done = _item(answer, block, message_id, index)
    opening = done | {"status": "in_progress"} | _EMPTY[done["type"]]
    yield Part({"type": "response.output_item.added", "output_index": index, "item": opening})
    place = {"item_id": done["id"], "output_index": index}
    if isinstance(block, ToolUse):
        yield from _call_parts(block, place, done)
    elif isinstance(block, Thinking):
        yield from _summary_parts(block, place)
    else:
        yield from _text_parts(block, place, done["content"][0])
    yield Part({"type": "response.output_item.done", "output_index": index, "item": done})


def _call_parts(block: ToolUse, place: dict[str, Any], done: dict[str, Any]) -> Iterator[Part]:
    name = "response.function_call_arguments"
    for piece in pieces_of(block):
        yield Part({"type": f"{name}.delta", **place, "delta": piece}, is_delta=True)
    yield Part({"type": f"{name}.done", **place, "name": block.name, "arguments": done["arguments"]})


def _summary_parts(block: Thinking, place: dict[str, Any]) -> Iterator[Part]:
    place = {**place, "summary_index": 0}
    name, whole = "response.reasoning_summary", {"type": "summary_text", "text": block.text}
    yield Part({"type": f"{name}_part.added", **place, "part": {"type": "summary_text", "text": ""}})
    for piece in pieces_of(block):
        yield Part({"type": f"{name}_text.delta", **place, "delta": piece}, is_delta=True)
    yield Part({"type": f"{name}_text.done", **place, "text": block.text})
    yield Part({"type": f"{name}_part.done", **place, "part": whole})


def _text_parts(block: Block, place: dict[str, Any], done: dict[str, Any]) -> Iterator[Part]:
    place = {**place, "content_index": 0}
    refused = done["type"] == "refusal"
    name = "response.refusal" if refused else "response.output_text"
    empty = done | ({"refusal": ""} if refused else {"text": ""})
    more: dict[str, Any] = {} if refused else {"logprobs": []}
    yield Part({"type": "response.content_part.added", **place, "part": empty})
    for piece in pieces_of(block):
        yield Part({"type": f"{name}.delta", **place, "delta": piece, **more}, is_delta=True)
    text = {"refusal": done["refusal"]} if refused else {"text": done["text"]}
    yield Part({"type": f"{name}.done", **place, **text, **more})
    yield Part({"type": "response.content_part.done", **place, "part": done})


#: What an item looks like before its deltas.
_EMPTY: dict[str, dict[str, Any]] = {
    "message": {"content": []},
    "reasoning": {"summary": [], "encrypted_content": None},
    "function_call": {"arguments": ""},
}


def _item(answer: Answer, block: Block, message_id: str, index: int) -> dict[str, Any]:
    if isinstance(block, ToolUse):
        return {
            "type": "function_call",
            "id": tool_id("fc_", message_id, index),
            "call_id": tool_id("call_", message_id, index),
            "name": block.name,
            "arguments": "".join(pieces_of(block)),
            "status": "completed",
        }
    text = "".join(pieces_of(block))
    if isinstance(block, Thinking):
        return {
            "type": "reasoning",
            "id": tool_id("rs_", message_id, index),
            "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": "b25lc2VhdC1zaW11bGF0b3I=",
        }
    content = (
        {"type": "refusal", "refusal": text}
        if answer.stop_reason == "refusal" and isinstance(block, Text)
        else {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    )
    return {
        "type": "message",
        "id": tool_id("msg_", message_id, index),
        "role": "assistant",
        "content": [content],
        "status": "incomplete" if answer.stop_reason in _INCOMPLETE else "completed",
    }


def _response(ask: Ask, message_id: str) -> dict[str, Any]:
    schema = ask.output_schema
    shape = {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}
    return {
        "id": "resp_" + message_id.removeprefix("msg_"),
        "object": "response",
        "created_at": _CREATED_AT,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": ask.bound,
        "metadata": {},
        "model": ask.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": shape if schema else {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def _last(answer: Answer, ask: Ask, message_id: str) -> dict[str, Any]:
    """The event that ends a stream: completed, incomplete or failed."""
    items = [_item(answer, block, message_id, index) for index, block in enumerate(answer.content)]
    response = _response(ask, message_id) | {"output": items, "usage": _usage(answer)}
    if answer.stop_reason == "model_context_window_exceeded":
        error = {"code": "context_length_exceeded", "message": _OVERFLOW}
        return {
            "type": "response.failed",
            "response": response | {"status": "failed", "error": error, "usage": None},
        }
    reason = _INCOMPLETE.get(answer.stop_reason or "")
    if reason is not None:
        end = {"status": "incomplete", "incomplete_details": {"reason": reason}}
        return {"type": "response.incomplete", "response": response | end}
    return {"type": "response.completed", "response": response}


def _usage(answer: Answer) -> dict[str, Any]:
    usage, read, written = answer.usage, all_input_tokens(answer), output_tokens(answer)
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thinking_tokens(answer)},
        "total_tokens": read + written,
    }


def broken() -> Part:
    """An error that arrives after the stream has begun."""
    error = {
        "code": "server_is_overloaded",
        "message": "Our servers are currently overloaded.",
        "param": None,
    }
    return Part({"type": "error", **error, "sequence_number": 0})


def limit_headers(limits: Limits, started_at: float) -> list[tuple[str, str]]:  # noqa: ARG001 - only a plan has windows
    """The usage window headers: none with an API key."""
    return []
