"""OpenAI's Responses API."""

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
from .completions import file_of
from .fields import Parameters, bad, checked, data_url, get, items, names, require
from .openai_tools import arguments_of, choice_of, schema_of, tools_of

PARAMETERS = Parameters(
    used=names("model input instructions stream tools tool_choice text"),
    hints=names(
        "temperature top_p max_output_tokens max_tool_calls metadata parallel_tool_calls store reasoning truncation user "
        "service_tier safety_identifier prompt_cache_key include prompt_cache_retention prompt_cache_options stream_options "
        "context_management"
    ),
    refused={
        "background": (False,),
        "conversation": (),
        "moderation": (),
        "previous_response_id": (),
        "prompt": (),
        "top_logprobs": (0,),
    },
)
_REASONS = {"max_tokens": "max_output_tokens", "refusal": "content_filter"}


class Responses:
    """Implements ``Dialect``."""

    shape: Shape = "openai"
    required: frozenset[str] = frozenset()

    def read(self, body: dict[str, Any]) -> Chat:
        ignored = PARAMETERS.check(body)
        system, turns = _turns(body.get("input"))
        instructions = get(body, "instructions", str, "")
        forced, offered = choice_of(body)
        schema, more = _format(body)
        return Chat(
            model=require(body, "model", str, ""),
            turns=checked(turns, "input"),
            system="\n\n".join(text for text in (instructions, *system) if text) or None,
            tools=tools_of(body.get("tools")) if offered else (),
            forced=forced,
            schema=schema,
            stream=bool(get(body, "stream", bool, "")),
            ignored=(*ignored, *more),
        )

    def writer(self, chat: Chat) -> Writer:
        return ResponseWriter(chat)


def _format(body: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    text = get(body, "text", dict, "") or {}
    hints = tuple(f"text.{name}" for name, value in text.items() if name != "format" and value is not None)
    wanted = get(text, "format", dict, "text")
    # This API writes the schema beside the type.
    return (None, hints) if wanted is None else (schema_of(wanted.get("type"), wanted, "text.format"), hints)


def _turns(value: Any) -> tuple[list[str], list[Turn]]:
    if isinstance(value, str):
        return [], [Turn(role="user", text=value)]
    system: list[str] = []
    turns: list[Turn] = []
    for path, item in items(value, "input"):
        kind = item.get("type", "message")
        if kind == "message":
            text, files = _content(f"{path}.content", item.get("content"))
            match item.get("role"):
                case "system" | "developer":
                    system.append(text)
                case "user":
                    turns.append(Turn(role="user", text=text, attachments=files))
                case "assistant":
                    turns.append(Turn(role="assistant", text=text))
                case other:
                    raise bad(f"{path}.role", f"there is no such role: `{other}`")
        elif kind == "function_call":
            turns.append(Turn(role="assistant", calls=(_called(path, item),)))
        elif kind == "function_call_output":
            output = item.get("output")
            text, files = _content(f"{path}.output", output)
            answer = ToolAnswer(require(item, "call_id", str, path), text)
            turns.append(Turn(role="user", answers=(answer,), attachments=files))
        elif kind != "reasoning":
            raise bad(f"{path}.type", f"this server takes no `{kind}`")
    return system, turns


def _called(path: str, item: dict[str, Any]) -> ToolUse:
    arguments = arguments_of(require(item, "arguments", str, path))
    return ToolUse(require(item, "call_id", str, path), require(item, "name", str, path), arguments)


def _content(path: str, content: Any) -> tuple[str, tuple[Attachment, ...]]:
    if isinstance(content, str):
        return content, ()
    said: list[str] = []
    files: list[Attachment] = []
    for at, part in items(content, path):
        match part.get("type"):
            case "input_text" | "output_text":
                said.append(require(part, "text", str, at))
            case "refusal":
                said.append(require(part, "refusal", str, at))
            case "input_image":
                files.append(data_url(require(part, "image_url", str, at), "image", f"{at}.image_url"))
            case "input_file":
                files.append(file_of(part, at))
            case other:
                raise bad(f"{at}.type", f"this server takes no `{other}`")
    return "\n".join(said), tuple(files)


class ResponseWriter:
    """Implements ``Writer``."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._id, self._created = new_id("resp_"), int(time.time())
        self._model = ""
        self._number = 0
        self._output: list[dict[str, Any]] = []
        self._text: list[str] | None = None

    def piece(self, piece: Piece) -> bytes:
        return b"".join(self._event(data) for data in self._events(piece))

    def whole(self, pieces: list[Piece]) -> dict[str, Any]:
        last: dict[str, Any] = {}
        for piece in pieces:
            for data in self._events(piece):
                last = data
        response: dict[str, Any] = last["response"]
        return response

    def _event(self, data: dict[str, Any]) -> bytes:
        self._number += 1
        return event({**data, "sequence_number": self._number - 1}, data["type"])

    def _events(self, piece: Piece) -> Iterator[dict[str, Any]]:
        match piece:
            case Begun():
                self._model = piece.model
                yield {"type": "response.created", "response": self._response("in_progress")}
                yield {"type": "response.in_progress", "response": self._response("in_progress")}
            case Said():
                yield from self._said(piece.text)
            case Called(call):
                yield from self._close_text()
                yield from self._call(call)
            case Ended():
                yield from self._close_text()
                reason = _REASONS.get(piece.reason)
                status = "completed" if reason is None else "incomplete"
                yield {"type": f"response.{status}", "response": self._response(status, piece.usage, reason)}
            case Broke():
                error = body_of(piece.error, "openai")["error"]
                response = {**self._response("failed"), "error": error}
                yield {"type": "response.failed", "response": response}

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1}

    def _said(self, text: str) -> Iterator[dict[str, Any]]:
        if self._text is None:
            self._text = []
            item = {
                "id": new_id("msg_"),
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            self._output.append(item)
            yield {
                "type": "response.output_item.added",
                "output_index": len(self._output) - 1,
                "item": dict(item),
            }
            part = _part("")
            yield {"type": "response.content_part.added", **self._place, "content_index": 0, "part": part}
        self._text.append(text)
        delta = {"type": "response.output_text.delta", **self._place, "content_index": 0}
        yield {**delta, "delta": text, "logprobs": []}

    def _close_text(self) -> Iterator[dict[str, Any]]:
        if self._text is None:
            return
        text, self._text = "".join(self._text), None
        part, place = _part(text), {**self._place, "content_index": 0}
        yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": part}
        yield self._done({**self._output[-1], "status": "completed", "content": [part]})

    def _call(self, call: ToolUse) -> Iterator[dict[str, Any]]:
        arguments = msgspec.json.encode(call.input).decode()
        item: dict[str, Any] = {
            "id": new_id("fc_"),
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
        }
        self._output.append(item)
        added = {**item, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": len(self._output) - 1, "item": added}
        yield {"type": "response.function_call_arguments.delta", **self._place, "delta": arguments}
        done = {"type": "response.function_call_arguments.done", **self._place}
        yield {**done, "name": call.name, "arguments": arguments}
        yield self._done({**item, "arguments": arguments, "status": "completed"})

    def _done(self, item: dict[str, Any]) -> dict[str, Any]:
        self._output[-1] = item
        return {"type": "response.output_item.done", "output_index": len(self._output) - 1, "item": item}

    def _response(
        self, status: str, usage: TokenUsage | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "instructions": self._chat.system,
            "metadata": {},
            "model": self._model,
            "output": list(self._output),
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": False,
            "temperature": None,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.schema,
                    "strict": False,
                }
                for tool in self._chat.tools
            ],
            "top_p": None,
            "truncation": "disabled",
            "usage": None if usage is None else _usage(usage),
        }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(usage: TokenUsage) -> dict[str, Any]:
    read, written = input_total(usage), usage.output_tokens or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens or 0},
        "output_tokens": written,
        # Among the tokens that were written; the API demands a number, and no provider here tells them apart.
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
