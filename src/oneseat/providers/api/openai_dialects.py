"""Reads the formats of servers that are nearly compatible with OpenAI: their chunks, texts, calls and stop reasons."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, Final

import msgspec

from oneseat._util import tolerant

from .chat import Stop, arguments_of, at

Chunk = dict[str, Any]
#: Marks the end, after the last chunk.
DONE: Final[Chunk] = {}
_FIELDS = (b":", b"event:", b"id:", b"retry:")
_STOPS: dict[str, Stop] = {
    **dict.fromkeys(
        ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed"), "end_turn"
    ),
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use", "function_call"), "tool_use"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "max_tokens"),
    **dict.fromkeys(("content_filter", "safety", "refusal", "sensitive", "recitation"), "refusal"),
}


class _Call(msgspec.Struct):
    id: str
    name: str
    arguments: str
    index: int | None


class Calls:
    """The calls of an answer, assembled from their pieces. ``given`` are those so far."""

    def __init__(self) -> None:
        self.given: list[_Call] = []

    def add(self, piece: Chunk) -> int:
        """Add one piece; returns the size of its arguments in bytes."""
        function = piece.get("function")
        fields = function if isinstance(function, dict) else piece
        name, value = text_in(fields, "name") or "", fields.get("arguments")
        arguments = (
            value if isinstance(value, str) else "" if value is None else tolerant.encode(value).decode()
        )
        index = piece.get("index") if isinstance(piece.get("index"), int) else None
        call = self._of(text_in(piece, "id"), index, name)
        # Some servers repeat the name with every piece.
        call.name = name or call.name
        call.arguments += arguments
        return len(arguments.encode())

    def _of(self, name_of_call: str | None, index: int | None, name: str) -> _Call:
        """The call that a piece belongs to: by its id, else by its index, else the last one."""
        same = [each for each in self.given if name_of_call is not None and each.id == name_of_call]
        if name_of_call is None or not same:
            same = [each for each in self.given if index is None or each.index == index][-1:]
            # Some servers give every call the same index: another id, or another name after complete arguments, is a new call.
            if same and (name_of_call is not None or (name and _is_whole(same[0].arguments))):
                same = []
        if not same:
            same = [_Call(name_of_call or f"call_{len(self.given)}", "", "", index)]
            self.given += same
        return same[-1]


def _is_whole(arguments: str) -> bool:
    return bool(arguments.strip()) and arguments_of(arguments) is not None


async def chunks(body: AsyncIterator[bytes]) -> AsyncGenerator[Chunk]:
    """The objects of a response, streamed or not, then ``DONE`` if the server marks the end."""
    data, other = b"", list[bytes]()
    async for line in _lines(body):
        if line.startswith(b"data:"):
            data += line[5:].strip()
            if data == b"[DONE]":
                yield DONE
                return
            found = _objects(data)
            data = b"" if found else data
            for chunk in found:
                yield chunk
        elif not line.strip():
            data = b""
        elif not line.startswith(_FIELDS):
            other.append(line)
    # A server that does not stream sends one object.
    for chunk in _objects(b"\n".join(other)):
        yield chunk


async def _lines(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    kept: list[bytes] = []
    async for part in body:
        *lines, rest = part.replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            yield b"".join((*kept, line))
            kept.clear()
        kept.append(rest)
    yield b"".join(kept)


def _objects(data: bytes) -> list[Chunk]:
    try:
        found = msgspec.json.decode(data)
    except tolerant.UNREADABLE:
        return tolerant.find_objects(data).objects
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]


def first_choice(chunk: Chunk) -> list[Chunk]:
    """The first choice of a chunk, if it is in the chunk: oneseat requests only one."""
    choices = chunk.get("choices")
    found = choices if isinstance(choices, list) else [choices]
    return [each for each in found if isinstance(each, dict) and each.get("index") in {0, None}][:1]


def usages_in(chunk: Chunk) -> Iterator[Chunk]:
    """The usage objects of a chunk. Groq has them in a separate field, Moonshot in a choice."""
    for usage in (
        at(chunk, "x_groq.usage"),
        *(at(choice, "usage") for choice in first_choice(chunk)),
        chunk.get("usage"),
    ):
        if isinstance(usage, dict):
            yield usage


def text_in(fields: Chunk, name: str) -> str | None:
    """The text of a field; ``None`` if it is empty or not a text."""
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def said_in(delta: Chunk) -> str:
    """The text of the answer, given as one string or in parts."""
    return "".join(
        text for kind, text in _parts(delta.get("content")) if "think" not in kind and "reason" not in kind
    )


def thoughts_in(delta: Chunk) -> Iterator[str]:
    """The thinking text, which OpenAI does not send and other servers send under several names."""
    named = (text_in(delta, name) for name in ("reasoning_content", "reasoning", "thinking"))
    found = next((text for text in named if text), None)
    if found is not None:
        yield found
    yield from (text for kind, text in _parts(delta.get("content")) if "think" in kind or "reason" in kind)


def _parts(content: Any) -> Iterator[tuple[str, str]]:
    """The texts in a content, each with its kind."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield "text", part
        elif isinstance(part, dict):
            kind = text_in(part, "type") or "text"
            # The Assistants API has the text one level deeper, as `value`.
            inner = part.get(kind, part.get("text", part.get("value")))
            yield kind, "".join(text for _, text in _parts(inner)) if inner is not content else ""


def calls_in(delta: Chunk) -> list[Chunk]:
    """The pieces of calls, also in the format that preceded `tool_calls`."""
    pieces = delta.get("tool_calls") or delta.get("function_call")
    return [each for each in (pieces if isinstance(pieces, list) else [pieces]) if isinstance(each, dict)]


def stop_of(finish: str | None) -> Stop:
    """Why the model stopped. Without a stop reason, the end of the stream is the end of the answer."""
    return "end_turn" if finish is None else _STOPS.get(finish.lower(), "pause")
