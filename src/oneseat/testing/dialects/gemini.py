"""The Gemini API without a network. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from oneseat.testing.replies import Answer, Block, Failure, Limits, Thinking, ToolUse

from .common import (
    Ask,
    BadRequestError,
    Part,
    all_input_tokens,
    bound_of,
    last_text,
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
_PATH = re.compile(r".*/models/(?P<model>[^/:]+):(?P<method>\w+)")
_SIGNATURE = "b25lc2VhdC1zaW11bGF0b3I="
#: Stop reasons in this API's terms.
_FINISH = {"max_tokens": "MAX_TOKENS", "model_context_window_exceeded": "MAX_TOKENS", "refusal": "SAFETY"}
#: The kind of a failure to the HTTP status and the status name.
_ERRORS: dict[str, tuple[int | None, str]] = {
    "authentication_error": (400, "INVALID_ARGUMENT"),
    "permission_error": (403, "PERMISSION_DENIED"),
    "not_found_error": (404, "NOT_FOUND"),
    "rate_limit_error": (429, "RESOURCE_EXHAUSTED"),
    "overloaded_error": (503, "UNAVAILABLE"),
    "invalid_request_error": (400, "INVALID_ARGUMENT"),
    "request_too_large": (413, "INVALID_ARGUMENT"),
    "api_error": (None, "INTERNAL"),
}
_INFO = "type.googleapis.com/google.rpc."


def parse(body: bytes, path: str) -> Ask:
    """Parse a request. Raises ``BadRequestError``."""
    request, where = object_of(body), _PATH.fullmatch(path)
    contents = objects_in(request.get("contents"))
    if not contents or where is None:
        raise BadRequestError("* GenerateContentRequest.contents: contents is not specified")
    from_user = [part for each in contents if each.get("role") == "user" for part in _parts_of(each)]
    config = object_at(request, "generationConfig")
    return Ask(
        model=unquote(where["model"]),
        stream=where["method"] == "streamGenerateContent",
        last_user_text=last_text(from_user),
        ends_with_tool_result=any("functionResponse" in part for part in _parts_of(contents[-1])),
        output_schema=object_at(config, "responseJsonSchema") or object_at(config, "responseSchema"),
        bound=bound_of(config.get("maxOutputTokens")),
        tools=tuple(
            name
            for tool in objects_in(request.get("tools"))
            for name in names_in(tool.get("functionDeclarations"))
        ),
    )


def _parts_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return objects_in(content.get("parts"))


def whole(answer: Answer, ask: Ask, message_id: str) -> dict[str, Any]:
    """The answer as one JSON object, for a request without streaming."""
    content = [
        part
        for index, block in enumerate(answer.content)
        for part in _whole_parts(block, "".join(pieces_of(block)), message_id, index)
    ]
    return _chunk(answer, ask, message_id, content, last=True)


def parts(answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
    """The answer as the events of a stream, in order."""
    for index, block in enumerate(answer.content):
        for piece in [""] if isinstance(block, ToolUse) else pieces_of(block):
            content = _whole_parts(block, piece, message_id, index)
            yield Part(
                _chunk(answer, ask, message_id, content, last=False),
                is_delta=not isinstance(block, ToolUse),
                named=False,
            )
    yield Part(_chunk(answer, ask, message_id, [], last=True), named=False)


def _whole_parts(block: Block, text: str, message_id: str, index: int) -> list[dict[str, Any]]:
    if isinstance(block, ToolUse):
        call = {"id": tool_id("call_", message_id, index), "name": block.name, "args": block.input}
        return [{"functionCall": call, "thoughtSignature": _SIGNATURE}]
    return [{"text": text, "thought": True} if isinstance(block, Thinking) else {"text": text}]


def _chunk(
    answer: Answer, ask: Ask, message_id: str, content: list[dict[str, Any]], *, last: bool
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": content}, "index": 0}
    if not content:
        candidate["content"] = {"role": "model"}
    if last:
        candidate["finishReason"] = _FINISH.get(answer.stop_reason or "", "STOP")
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(answer, last=last),
        "modelVersion": ask.model,
        "responseId": message_id.removeprefix("msg_"),
    }


def _usage(answer: Answer, *, last: bool) -> dict[str, Any]:
    read, written = all_input_tokens(answer), output_tokens(answer) if last else 0
    thought = min(thinking_tokens(answer), written)
    return {
        "promptTokenCount": read,
        "cachedContentTokenCount": answer.usage.cache_read_tokens,
        "candidatesTokenCount": written - thought,
        "thoughtsTokenCount": thought,
        "totalTokenCount": read + written,
    }


def failure(failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:  # noqa: ARG001 - sent as a header
    """The status and the body of an error in the API's own shape."""
    if failure.about == "credit":
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel", "quotaValue": "250"}
        details = [{"@type": f"{_INFO}QuotaFailure", "violations": [violation]}]
        words = "You exceeded your current quota, please check your plan and billing details."
        return 429, _body(429, words, "RESOURCE_EXHAUSTED", details)
    if failure.about == "context":
        words = "The input token count (210000) exceeds the maximum number of tokens allowed (200000)."
        return 400, _body(400, words, "INVALID_ARGUMENT", [])
    status, name = _ERRORS.get(failure.kind, (None, "UNKNOWN"))
    return status or failure.status, _body(status or failure.status, _words(failure), name, _details(failure))


def _words(failure: Failure) -> str:
    unknown = failure.kind == "authentication_error"
    return "API key not valid. Please pass a valid API key." if unknown else failure.message


def _details(failure: Failure) -> list[dict[str, Any]]:
    if failure.kind == "authentication_error":
        return [
            {
                "@type": f"{_INFO}ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
            }
        ]
    if failure.retry_after_s is not None:
        return [{"@type": f"{_INFO}RetryInfo", "retryDelay": f"{failure.retry_after_s}s"}]
    return []


def _body(code: int, message: str, status: str, details: list[dict[str, Any]]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


def broken() -> Part:
    """An error that arrives after the stream has begun."""
    return Part(_body(503, "The model is overloaded.", "UNAVAILABLE", []), named=False)


def limit_headers(limits: Limits, started_at: float) -> list[tuple[str, str]]:  # noqa: ARG001 - only a plan has windows
    """The usage window headers: none with an API key."""
    return []
