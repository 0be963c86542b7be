"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from oneseat.contract.gateway.chat import (
    Begun,
    Broke,
    Called,
    Chat,
    ClientTool,
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

from .base import Writer, event, new_id
from .fields import Parameters, bad, base64_file, checked, get, items, names, need, require, texts

PARAMETERS = Parameters(
    used=names("model messages system stream stop_sequences tools tool_choice output_config output_format"),
    hints=names(
        "max_tokens temperature top_p top_k metadata service_tier thinking cache_control context_management inference_geo "
        "speed betas user_profile_id"
    ),
    refused={"container": (), "mcp_servers": ([],), "fallbacks": ([],)},
    required=frozenset({"max_tokens"}),
)
#: What of the model's thinking a client sends back; the official CLI keeps its own.
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


class Messages:
    """Implements ``Dialect``."""

    shape: Shape = "anthropic"
    required = frozenset(PARAMETERS.required)

    def read(self, body: dict[str, Any]) -> Chat:
        ignored = PARAMETERS.check(body)
        require(body, "max_tokens", int, "")
        return _chat(body, ignored)

    def read_countable(self, body: dict[str, Any]) -> Chat:
        """A request whose tokens are to be counted: the same without a length."""
        return _chat(body, PARAMETERS.check(body))

    def writer(self, chat: Chat) -> Writer:  # noqa: ARG002 - other dialects need it
        return MessagesWriter()


def _chat(body: dict[str, Any], ignored: tuple[str, ...]) -> Chat:
    forced, offered, hints = _choice(body)
    schema, more = _format(body)
    if '"cache_control"' in msgspec.json.encode([body.get("messages"), body.get("system")]).decode():
        hints = (*hints, "cache_control")
    messages = list(items(body.get("messages"), "messages"))
    turns = [_turn(path, each) for path, each in messages if each.get("role") != "system"]
    # The vendor's own programs also send instructions between the turns.
    between = [_system(each.get("content"), path) for path, each in messages if each.get("role") == "system"]
    return Chat(
        model=require(body, "model", str, ""),
        turns=checked(turns, "messages"),
        system="\n\n".join(text for text in (_system(body.get("system"), "system"), *between) if text)
        or None,
        tools=_tools(body.get("tools")) if offered else (),
        forced=forced,
        schema=schema,
        stop=texts(body.get("stop_sequences"), "stop_sequences"),
        stream=bool(get(body, "stream", bool, "")),
        ignored=tuple(dict.fromkeys((*ignored, *hints, *more))),
    )


def _system(value: Any, path: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return "\n\n".join(require(each, "text", str, at) for at, each in items(value, path))


def _turn(path: str, message: dict[str, Any]) -> Turn:
    role, content = message.get("role"), message.get("content")
    if role not in {"user", "assistant"}:
        raise bad(f"{path}.role", "it must be `user` or `assistant`")
    if isinstance(content, str):
        return Turn(role=role, text=content)
    said: list[str] = []
    attached: list[Attachment] = []
    calls: list[ToolUse] = []
    answers: list[ToolAnswer] = []
    for at, block in items(content, f"{path}.content"):
        kind = block.get("type")
        if kind == "text":
            said.append(require(block, "text", str, at))
        elif kind in {"image", "document"} and role == "user":
            attached.append(_file(at, block))
        elif kind == "tool_use" and role == "assistant":
            calls.append(
                ToolUse(require(block, "id", str, at), require(block, "name", str, at), block.get("input"))
            )
        elif kind == "tool_result" and role == "user":
            answer, files = _answer(at, block)
            answers.append(answer)
            attached += files
        elif kind not in _THOUGHTS:
            raise bad(f"{at}.type", f"this server takes no `{kind}` here")
    text = ("\n" if role == "user" else "").join(said)
    return Turn(role=role, text=text, attachments=tuple(attached), calls=tuple(calls), answers=tuple(answers))


def _file(path: str, block: dict[str, Any]) -> Attachment:
    source, kind = require(block, "source", dict, path), block["type"]
    at = f"{path}.source"
    if source.get("type") == "text":
        return Attachment(
            get(block, "title", str, path) or "text", "text/plain", require(source, "data", str, at).encode()
        )
    if source.get("type") != "base64":
        raise bad(f"{at}.type", "only base64 and text are accepted; this server fetches no address")
    name = get(block, "title", str, path) or kind
    return base64_file(name, require(source, "data", str, at), f"{at}.data")


def _answer(path: str, block: dict[str, Any]) -> tuple[ToolAnswer, list[Attachment]]:
    content, files, said = block.get("content"), [], []
    if isinstance(content, str):
        said.append(content)
    elif content is not None:
        for at, part in items(content, f"{path}.content"):
            if part.get("type") == "text":
                said.append(require(part, "text", str, at))
            elif part.get("type") in {"image", "document"}:
                files.append(_file(at, part))
            else:
                raise bad(f"{at}.type", "a result is text, images and documents")
    is_error = bool(get(block, "is_error", bool, path))
    return ToolAnswer(require(block, "tool_use_id", str, path), "\n".join(said), is_error), files


def _tools(value: Any) -> tuple[ClientTool, ...]:
    found = []
    for path, tool in items(value if value is not None else [], "tools"):
        if tool.get("type") not in {None, "custom"}:
            raise bad(f"{path}.type", f"the vendor's own tools are not offered here: `{tool.get('type')}`")
        found.append(
            ClientTool(
                name=require(tool, "name", str, path),
                description=get(tool, "description", str, path) or "",
                schema=require(tool, "input_schema", dict, path),
            )
        )
    return tuple(found)


def _choice(body: dict[str, Any]) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """The tools of which one must be called, whether tools are offered, and what of the choice cannot be followed."""
    choice = get(body, "tool_choice", dict, "") or {}
    hints = ("disable_parallel_tool_use",) if choice.get("disable_parallel_tool_use") else ()
    match choice.get("type"):
        case None | "auto":
            return (), True, hints
        case "none":
            return (), False, hints
        case "tool":
            return (_named(body, require(choice, "name", str, "tool_choice")),), True, hints
        case "any":
            return tuple(tool.name for tool in _tools(body.get("tools"))), True, hints
        case other:
            raise bad("tool_choice.type", f"there is no such choice: `{other}`")


def _named(body: dict[str, Any], name: str) -> str:
    if name not in [tool.get("name") for _, tool in items(body.get("tools"), "tools")]:
        raise bad("tool_choice.name", f"the request offers no such tool: `{name}`")
    return name


def _format(body: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The schema that the answer must fit, and what else is asked of the output."""
    config = get(body, "output_config", dict, "") or {}
    wanted = config.get("format") or body.get("output_format")
    hints = tuple(f"output_config.{name}" for name in config if name != "format")
    if wanted is None:
        return None, hints
    wanted = need(wanted, dict, "output_config.format")
    if wanted.get("type") != "json_schema":
        raise bad("output_config.format.type", "it must be `json_schema`")
    return require(wanted, "schema", dict, "output_config.format"), hints


class MessagesWriter:
    """Implements ``Writer``."""

    def __init__(self) -> None:
        self._index = -1
        self._in_text = False

    def piece(self, piece: Piece) -> bytes:
        return b"".join(event(data, data["type"]) for data in self._events(piece))

    def whole(self, pieces: list[Piece]) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        message = _message("", TokenUsage())
        for piece in pieces:
            match piece:
                case Begun():
                    message = _message(piece.model, piece.usage)
                case Said():
                    if not content or content[-1]["type"] != "text":
                        content.append({"type": "text", "text": ""})
                    content[-1]["text"] += piece.text
                case Called(call):
                    content.append(
                        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
                    )
                case Ended():
                    message.update(
                        stop_reason=piece.reason, stop_sequence=piece.sequence, usage=_usage(piece.usage)
                    )
        return {**message, "content": content}

    def _events(self, piece: Piece) -> Iterator[dict[str, Any]]:
        match piece:
            case Begun():
                yield {"type": "message_start", "message": _message(piece.model, piece.usage)}
            case Said():
                if not self._in_text:
                    self._in_text = True
                    yield self._start({"type": "text", "text": ""})
                yield self._delta({"type": "text_delta", "text": piece.text})
            case Called(call):
                yield from self._stop_text()
                yield self._start({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
                written = msgspec.json.encode(call.input).decode()
                yield self._delta({"type": "input_json_delta", "partial_json": written})
                yield {"type": "content_block_stop", "index": self._index}
            case Ended():
                yield from self._stop_text()
                delta = {"stop_reason": piece.reason, "stop_sequence": piece.sequence}
                yield {"type": "message_delta", "delta": delta, "usage": _usage(piece.usage)}
                yield {"type": "message_stop"}
            case Broke():
                yield body_of(piece.error, "anthropic")

    def _start(self, block: dict[str, Any]) -> dict[str, Any]:
        self._index += 1
        return {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _stop_text(self) -> Iterator[dict[str, Any]]:
        if self._in_text:
            self._in_text = False
            yield {"type": "content_block_stop", "index": self._index}


def _message(model: str, usage: TokenUsage) -> dict[str, Any]:
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(usage),
    }


def _usage(usage: TokenUsage) -> dict[str, Any]:
    short, long = usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    written = None if short is None and long is None else (short or 0) + (long or 0)
    return {
        # The API has no word for a count that is not known.
        "input_tokens": usage.input_tokens or 0,
        "output_tokens": usage.output_tokens or 0,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": short or 0, "ephemeral_1h_input_tokens": long or 0},
    }
