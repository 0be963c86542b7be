"""OpenAI's Responses API through the official SDK. The vendor stores nothing: the conversation is sent each time."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from openai import AsyncOpenAI

from oneseat.contract.events import Event, Progress, TextDelta, ThinkingDelta, UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment
from oneseat.host.function_calls import CallResult
from oneseat.providers.schemas import is_strict, portable

from . import openai_errors, transport
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
    output,
)
from .endpoint import Endpoint
from .openai_errors import FailedError

_TEXT_DELTAS = frozenset({"response.output_text.delta", "response.refusal.delta"})
_THINKING_DELTAS = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
_INCOMPLETE: dict[str | None, Stop] = {"max_output_tokens": "max_tokens", "content_filter": "refusal"}


class ResponsesConversation(History):
    """Implements ``Conversation``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._client = AsyncOpenAI(**transport.options(endpoint))

    def prompt(self, prompt: Prompt) -> None:
        blocks: list[dict[str, Any]] = []
        if prompt.background is not None:
            blocks.append({"type": "input_text", "text": prompt.background})
        blocks += [_attached(attachment) for attachment in prompt.attachments]
        blocks.append({"type": "input_text", "text": prompt.text})
        self.put({"type": "message", "role": "user", "content": blocks}, prompt)

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        self.entries += [
            {"type": "function_call_output", "call_id": call.id, "output": _output(returned)}
            for call, returned in answered
        ]

    async def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        response = _Response()
        async with await self._client.responses.create(**self._request(ask), stream=True) as stream:
            async for event in stream:
                for seen in response.take(event):
                    yield seen
        reply = response.reply()
        self.entries += response.items
        yield reply

    def _request(self, ask: ChatRequest) -> dict[str, Any]:
        options = ask.options
        request: dict[str, Any] = {
            "model": ask.model,
            "instructions": options.system,
            "input": self.entries,
            "store": False,
        }
        if ask.held:
            request["max_output_tokens"] = ask.bound
        if options.functions:
            request["tools"] = [
                {
                    "type": "function",
                    "name": each.name,
                    "description": each.description,
                    "parameters": each.schema,
                    "strict": False,
                }
                for each in options.functions
            ]
        if options.schema is not None:
            schema = portable(options.schema)
            shape = {"type": "json_schema", "name": "answer", "schema": schema}
            request["text"] = {"format": {**shape, "strict": is_strict(schema)}}
        return request

    def said(self, error: Exception) -> VendorError | None:
        return error.said if isinstance(error, FailedError) else openai_errors.said(error)

    async def close(self) -> None:
        await self._client.close()


class _Response:
    """One response while it is received. ``items`` must be repeated in the next request."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._reply: Reply | None = None

    def take(self, event: Any) -> Iterable[Event]:
        """The events for one event of the stream. Raises ``FailedError``."""
        kind: str = event.type
        if kind in _TEXT_DELTAS:
            return (TextDelta(text=event.delta),)
        if kind in _THINKING_DELTAS:
            return (ThinkingDelta(text=event.delta),)
        if kind == "response.function_call_arguments.delta":
            return (Progress(state=kind, tool_input_bytes=len(event.delta.encode())),)
        if kind == "response.created":
            made = event.response
            return (UsageSeen(message_id=made.id, usage=TokenUsage(), model=made.model),)
        if kind == "response.failed":
            error = event.response.error
            raise FailedError(
                VendorError(None, (str(error.code),) if error else (), error.message if error else "")
            )
        if kind == "error":
            raise FailedError(VendorError(None, (str(event.code),), event.message or ""))
        if kind in {"response.completed", "response.incomplete"}:
            return (self._ended(event.response),)
        return (Progress(state=kind),)

    def _ended(self, response: Any) -> Event:
        parts = [part for item in response.output if item.type == "message" for part in item.content]
        refusals = [part.refusal for part in parts if part.type == "refusal"]
        calls = tuple(
            Call(item.call_id, item.name, arguments_of(item.arguments))
            for item in response.output
            if item.type == "function_call"
        )
        details = response.incomplete_details
        stop: Stop = "tool_use" if calls else "refusal" if refusals else "end_turn"
        if response.status == "incomplete":
            stop = _INCOMPLETE.get(details.reason if details is not None else None, "pause")
        usage = _tokens(response.usage)
        texts = [part.text for part in parts if part.type == "output_text"]
        self.items = [_repeated(item) for item in response.output]
        why = "".join(refusals) or None
        self._reply = Reply("".join(texts) or (why or ""), calls, stop, usage, response.model, why)
        return UsageSeen(message_id=response.id, usage=usage, model=response.model, stop_reason=stop)

    def reply(self) -> Reply:
        """The complete answer. Raises ``TruncatedError``."""
        if self._reply is None:
            raise TruncatedError("the answer stopped in the middle")
        return self._reply


def _repeated(item: Any) -> dict[str, Any]:
    # The vendor has not stored the item, so its id is unknown there; the status is an output-only field.
    fields: dict[str, Any] = item.model_dump(mode="json", exclude_none=True, exclude={"id", "status"})
    return fields


def _output(returned: CallResult) -> str:
    # The API has no field for errors.
    return f"Error: {returned.text}" if returned.is_error else returned.text


def _tokens(usage: Any) -> TokenUsage:
    counts = Counts(usage)
    sent = counts.read("input_tokens")
    read = counts.read("input_tokens_details.cached_tokens")
    written = counts.read("input_tokens_details.cache_write_tokens")
    known = usage is not None
    return counts.usage(
        input_tokens=counts.rest(sent, read, written),
        output_tokens=output(
            counts.read("output_tokens"),
            reasoning=counts.read("output_tokens_details.reasoning_tokens"),
            sent=sent,
            total=counts.read("total_tokens"),
        ),
        cache_read_tokens=read if read is not None or not known else 0,
        cache_write_5m_tokens=written if written is not None or not known else 0,
        cache_write_1h_tokens=0 if known else None,
    )


def _attached(attachment: Attachment) -> dict[str, Any]:
    kind = attachment.media_type
    if kind.startswith("image/"):
        return {"type": "input_image", "image_url": data_url(attachment), "detail": "auto"}
    if kind == "application/pdf":
        name = attachment.name.encode("utf-8", "replace").decode()
        return {"type": "input_file", "filename": name, "file_data": data_url(attachment)}
    return {"type": "input_text", "text": file_text(attachment)}


def data_url(attachment: Attachment) -> str:
    """A file as a ``data:`` URL."""
    return f"data:{attachment.media_type};base64,{base64.b64encode(attachment.data).decode('ascii')}"
