"""Anthropic's Messages API through the official SDK."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from anthropic import APIStatusError, AsyncAnthropic, transform_schema

from oneseat.contract.events import Event, Progress, TextDelta, ThinkingDelta, UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment
from oneseat.host.function_calls import CallResult
from oneseat.providers.schemas import portable, with_plain_types

from . import transport
from .chat import (
    Call,
    ChatRequest,
    Counts,
    History,
    Prompt,
    Reply,
    Stop,
    TruncatedError,
    VendorError,
    arguments_of,
    file_text,
)
from .endpoint import Endpoint
from .failures import retry_after

if TYPE_CHECKING:
    from anthropic.types import RawMessageStreamEvent

_STOPS: dict[str | None, Stop] = {
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window",
}
_LAST_IS_CACHED = {"cache_control": {"type": "ephemeral"}}


class AnthropicConversation(History):
    """Implements ``Conversation``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._client = AsyncAnthropic(**transport.options(endpoint))

    def prompt(self, prompt: Prompt) -> None:
        blocks: list[dict[str, Any]] = []
        if prompt.background is not None:
            blocks.append({"type": "text", "text": prompt.background})
        blocks += [_attached(attachment) for attachment in prompt.attachments]
        blocks.append({"type": "text", "text": prompt.text})
        self.put({"role": "user", "content": blocks}, prompt)

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        content = [
            {
                "type": "tool_result",
                "tool_use_id": call.id,
                "content": returned.text,
                "is_error": returned.is_error,
            }
            for call, returned in answered
        ]
        self.entries.append({"role": "user", "content": content})

    async def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        message = _Message()
        async with await self._client.messages.create(**self._request(ask), stream=True) as stream:
            async for event in stream:
                for seen in message.take(event):
                    yield seen
        reply = message.reply()
        yield message.counted(reply)
        if message.blocks:
            self.entries.append({"role": "assistant", "content": message.blocks})
        yield reply

    def _request(self, ask: ChatRequest) -> dict[str, Any]:
        options = ask.options
        request: dict[str, Any] = {
            "model": ask.model,
            "max_tokens": ask.bound,
            "system": options.system,
            "messages": self.entries,
        }
        if options.functions:
            request["tools"] = [
                {"name": each.name, "description": each.description, "input_schema": each.schema}
                for each in options.functions
            ]
        if len(self.entries) > 1:
            # The earlier conversation is sent again with every request: cached, it costs a tenth.
            request |= _LAST_IS_CACHED
        if options.schema is not None:
            # The API rejects schemas with constraints that it cannot enforce; oneseat checks the answer against the whole schema.
            schema = transform_schema(with_plain_types(portable(options.schema)))
            request["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return request

    def said(self, error: Exception) -> VendorError | None:

        if not isinstance(error, APIStatusError):
            return None
        # An error in the middle of a stream has the HTTP status of its beginning.
        status = error.status_code if error.status_code >= 300 else None
        kinds = tuple(filter(None, (error.error_code, error.type)))
        return VendorError(status, kinds, error.api_message or "", retry_after(error.response.headers))

    async def close(self) -> None:
        await self._client.close()


class _Message:
    """One message while it is received. ``blocks`` are the parts that the next request must repeat."""

    def __init__(self) -> None:
        self.blocks: list[dict[str, Any]] = []
        self._usage = TokenUsage()
        self._id: str | None = None
        self._model: str | None = None
        self._stop: str | None = None
        self._why: str | None = None
        self._ended = False
        self._json: list[str] = []

    def take(self, event: RawMessageStreamEvent) -> Iterable[Event]:
        """The events for one event of the stream."""
        match event.type:
            case "message_start":
                self._id, self._model = event.message.id, event.message.model
                # Its output count is only the value at the start: a message_delta has the final one.
                self._usage = msgspec.structs.replace(
                    _tokens(Counts(event.message.usage)), output_tokens=None
                )
                return (UsageSeen(message_id=self._id, usage=self._usage, model=self._model),)
            case "content_block_start":
                self.blocks.append(event.content_block.model_dump(exclude_none=True))
                self._json.clear()
            case "content_block_delta":
                return (self._delta(event.delta),)
            case "content_block_stop":
                self._close()
            case "message_delta":
                self._stopped(event)
            case "message_stop":
                self._ended = True
            case _:
                pass
        return (Progress(state=event.type),)

    def _delta(self, delta: Any) -> Event:
        block = self.blocks[-1]
        match delta.type:
            case "text_delta":
                block["text"] = block.get("text", "") + delta.text
                return TextDelta(text=delta.text)
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta.thinking
                return ThinkingDelta(text=delta.thinking)
            case "signature_delta":
                block["signature"] = delta.signature
                return Progress(state=delta.type)
            case "input_json_delta":
                self._json.append(delta.partial_json)
                return Progress(state=delta.type, tool_input_bytes=len(delta.partial_json.encode()))
            case _:
                return Progress(state=delta.type)

    def _close(self) -> None:
        if self.blocks[-1]["type"] == "tool_use" and self._json:
            self.blocks[-1]["input"] = arguments_of("".join(self._json))

    def _stopped(self, event: Any) -> None:
        if event.usage is not None:
            counts = Counts(event.usage)
            self._usage = _later(self._usage, counts, _tokens(counts))
        self._stop = event.delta.stop_reason or self._stop
        details = event.delta.stop_details
        self._why = getattr(details, "explanation", None) if details is not None else None

    def counted(self, reply: Reply) -> UsageSeen:
        """The tokens of the answer, once they are final."""
        return UsageSeen(message_id=self._id, usage=reply.usage, model=self._model, stop_reason=reply.stop)

    def reply(self) -> Reply:
        """The whole answer. Raises ``TruncatedError``."""
        if not self._ended:
            raise TruncatedError("the answer stopped in the middle")
        calls = tuple(
            Call(block["id"], block["name"], block["input"])
            for block in self.blocks
            if block["type"] == "tool_use"
        )
        for block in self.blocks:
            if block["type"] == "tool_use" and block["input"] is None:
                block["input"] = {}
        texts = [block.get("text", "") for block in self.blocks if block["type"] == "text"]
        # The API rejects a request that repeats a message with an empty text.
        self.blocks = [block for block in self.blocks if block["type"] != "text" or block.get("text")]
        stop = _STOPS.get(self._stop, "pause")
        return Reply("".join(texts), calls, stop, self._usage, self._model, self._why)


def _tokens(counts: Counts) -> TokenUsage:
    write_1h = counts.read("cache_creation.ephemeral_1h_input_tokens")
    write_5m = counts.read("cache_creation.ephemeral_5m_input_tokens")
    total = counts.read("cache_creation_input_tokens")
    if total is not None and (write_1h or 0) + (write_5m or 0) < total:
        # Without the breakdown, assume five minutes: the API's default.
        write_5m = total - (write_1h or 0)
    return counts.usage(
        input_tokens=counts.read("input_tokens"),
        output_tokens=counts.read("output_tokens"),
        cache_read_tokens=counts.read("cache_read_input_tokens"),
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h if write_1h is not None or total is None else 0,
    )


def _later(before: TokenUsage, counts: Counts, now: TokenUsage) -> TokenUsage:
    """The usage after a further report, which may omit fields. As in the CLI, a zero does not replace an earlier count."""
    if counts.refused:
        return now
    known = msgspec.structs.asdict(before)
    reported = {
        name: value
        for name, value in msgspec.structs.asdict(now).items()
        if value or (value is not None and known[name] is None)
    }
    return msgspec.structs.replace(before, **reported)


def _attached(attachment: Attachment) -> dict[str, Any]:
    kind = attachment.media_type
    if kind.startswith("image/"):
        return {"type": "image", "source": _base64(attachment)}
    if kind == "application/pdf":
        name = attachment.name.encode("utf-8", "replace").decode()
        return {"type": "document", "title": name, "source": _base64(attachment)}
    return {"type": "text", "text": file_text(attachment)}


def _base64(attachment: Attachment) -> dict[str, str]:
    data = base64.b64encode(attachment.data).decode("ascii")
    return {"type": "base64", "media_type": attachment.media_type, "data": data}
