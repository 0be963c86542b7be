"""OpenAI's Chat Completions API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from oneseat.contract.gateway.chat import (
    Begun,
    Broke,
    Called,
    Chat,
    Ended,
    Piece,
    Said,
    ToolAnswer,
    ToolUse,
    Turn,
)
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment
from oneseat.serve.gateway.errors import Shape, body_of

from .base import Writer, event, input_total, new_id
from .fields import Parameters, bad, base64_file, checked, data_url, get, items, names, require, texts
from .openai_tools import arguments_of, choice_of, schema_of, tools_of

PARAMETERS = Parameters(
    used=names("model messages stream stream_options stop tools tool_choice response_format"),
    hints=names(
        "temperature top_p top_k seed presence_penalty frequency_penalty logit_bias user max_tokens max_completion_tokens "
        "service_tier metadata store parallel_tool_calls reasoning_effort verbosity prediction prompt_cache_key "
        "prompt_cache_retention prompt_cache_options safety_identifier"
    ),
    refused={
        "n": (1,),
        "logprobs": (False,),
        "top_logprobs": (0,),
        "modalities": (["text"],),
        "audio": (),
        "functions": ([],),
        "function_call": ("none", "auto"),
        "web_search_options": (),
        "moderation": (),
    },
)
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Completions:
    """Implements ``Dialect``."""

    shape: Shape = "openai"
    required: frozenset[str] = frozenset()

    def read(self, body: dict[str, Any]) -> Chat:
        ignored = PARAMETERS.check(body)
        system, turns = _turns(body.get("messages"))
        forced, offered = choice_of(body)
        options = get(body, "stream_options", dict, "") or {}
        return Chat(
            model=require(body, "model", str, ""),
            turns=checked(turns, "messages"),
            system=system,
            tools=tools_of(body.get("tools")) if offered else (),
            forced=forced,
            schema=_format(body),
            stop=texts(body.get("stop"), "stop"),
            stream=bool(get(body, "stream", bool, "")),
            include_usage=bool(get(options, "include_usage", bool, "stream_options")),
            ignored=ignored,
        )

    def writer(self, chat: Chat) -> Writer:
        return CompletionWriter(chat)


def _turns(value: Any) -> tuple[str | None, list[Turn]]:
    system: list[str] = []
    turns: list[Turn] = []
    for path, message in items(value, "messages"):
        role = message.get("role")
        if role in {"system", "developer"}:
            system.append(_parts(f"{path}.content", message.get("content"))[0])
        elif role == "user":
            text, files = _parts(f"{path}.content", message.get("content"))
            turns.append(Turn(role="user", text=text, attachments=files))
        elif role == "assistant":
            turns.append(_assistant(path, message))
        elif role == "tool":
            text, files = _parts(f"{path}.content", message.get("content"))
            answer = ToolAnswer(require(message, "tool_call_id", str, path), text)
            turns.append(Turn(role="user", answers=(answer,), attachments=files))
        else:
            raise bad(f"{path}.role", f"there is no such role: `{role}`")
    return "\n\n".join(text for text in system if text) or None, turns


def _assistant(path: str, message: dict[str, Any]) -> Turn:
    if message.get("function_call") or message.get("audio"):
        raise bad(path, "calls of functions by their old name, and sound, are not supported")
    content = message.get("content")
    text = "" if content is None else _parts(f"{path}.content", content)[0]
    calls = []
    for at, call in items(message.get("tool_calls") or [], f"{path}.tool_calls"):
        function = require(call, "function", dict, at)
        arguments = arguments_of(require(function, "arguments", str, f"{at}.function"))
        calls.append(
            ToolUse(require(call, "id", str, at), require(function, "name", str, f"{at}.function"), arguments)
        )
    return Turn(role="assistant", text=text, calls=tuple(calls))


def _parts(path: str, content: Any) -> tuple[str, tuple[Attachment, ...]]:
    if isinstance(content, str):
        return content, ()
    said: list[str] = []
    files: list[Attachment] = []
    for at, part in items(content, path):
        match part.get("type"):
            case "text":
                said.append(require(part, "text", str, at))
            case "refusal":
                said.append(require(part, "refusal", str, at))
            case "image_url":
                image = require(part, "image_url", dict, at)
                files.append(
                    data_url(require(image, "url", str, f"{at}.image_url"), "image", f"{at}.image_url.url")
                )
            case "file":
                files.append(file_of(require(part, "file", dict, at), f"{at}.file"))
            case other:
                raise bad(f"{at}.type", f"this server takes no `{other}`")
    return "\n".join(said), tuple(files)


def file_of(file: dict[str, Any], path: str) -> Attachment:
    """A file that is given in place. Raises ``ApiError`` for one that is stored at the vendor."""
    if file.get("file_data") is None:
        raise bad(path, "only `file_data` is accepted; this server stores and fetches no files")
    data, name = require(file, "file_data", str, path), get(file, "filename", str, path) or "file"
    at = f"{path}.file_data"
    return data_url(data, name, at) if data.startswith("data:") else base64_file(name, data, at)


def _format(body: dict[str, Any]) -> dict[str, Any] | None:
    wanted = get(body, "response_format", dict, "")
    if wanted is None:
        return None
    inner = wanted.get("json_schema")
    return schema_of(wanted.get("type"), inner, "response_format")


class CompletionWriter:
    """Implements ``Writer``."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._head = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
        }
        self._calls = 0

    def piece(self, piece: Piece) -> bytes:
        written = b"".join(event(data) for data in self._chunks(piece))
        return written + b"data: [DONE]\n\n" if isinstance(piece, Ended) else written

    def whole(self, pieces: list[Piece]) -> dict[str, Any]:
        model, text, calls = "", [], []
        end = Ended("end_turn", TokenUsage())
        for piece in pieces:
            match piece:
                case Begun():
                    model = piece.model
                case Said():
                    text.append(piece.text)
                case Called(call):
                    calls.append(_call(call))
                case Ended():
                    end = piece
        said = "".join(text)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": said if said or not calls else None,
            "refusal": None,
        }
        if end.reason == "refusal":
            message["refusal"] = said
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[end.reason]}
        head = {**self._head, "object": "chat.completion", "model": model}
        return {**head, "choices": [choice], "usage": usage_of(end.usage)}

    def _chunks(self, piece: Piece) -> Iterator[dict[str, Any]]:
        match piece:
            case Begun():
                self._head["model"] = piece.model
                yield self._chunk({"role": "assistant", "content": "", "refusal": None})
            case Said():
                yield self._chunk({"content": piece.text})
            case Called(call):
                yield self._chunk({"tool_calls": [{"index": self._calls, **_call(call)}]})
                self._calls += 1
            case Ended():
                yield self._chunk({}, _FINISH[piece.reason])
                if self._chat.include_usage:
                    yield {**self._head, "choices": [], "usage": usage_of(piece.usage)}
            case Broke():
                yield body_of(piece.error, "openai")

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if self._chat.include_usage else {}
        return {**self._head, "choices": [choice], **usage}


def _call(call: ToolUse) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.input).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def usage_of(usage: TokenUsage) -> dict[str, Any]:
    """The tokens as this API counts them: those of the cache are among those of the prompt."""
    read, written = input_total(usage), usage.output_tokens or 0
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": None},
    }
