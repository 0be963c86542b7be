"""Chat completions, which local servers and other vendors speak too, through OpenAI's SDK."""

from __future__ import annotations

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
    History,
    Prompt,
    Reply,
    Stop,
    TruncatedError,
    VendorError,
    arguments_of,
    count,
    file_text,
    rest,
)
from .endpoint import Endpoint
from .openai_responses import data_url

_STOPS: dict[str | None, Stop] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}


class ChatConversation(History):
    """Implements ``Conversation``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._client = AsyncOpenAI(**transport.options(endpoint))

    def prompt(self, prompt: Prompt) -> None:
        texts = [] if prompt.background is None else [prompt.background]
        pictures = [each for each in prompt.attachments if each.media_type.startswith("image/")]
        texts += [file_text(each) for each in prompt.attachments if each not in pictures]
        texts.append(prompt.text)
        if len(texts) == 1 and not pictures:
            # The simplest form, as some local servers know no other.
            self.put({"role": "user", "content": prompt.text}, prompt)
            return
        content = [_picture(each) for each in pictures] + [{"type": "text", "text": text} for text in texts]
        self.put({"role": "user", "content": content}, prompt)

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        self.entries += [
            {
                "role": "tool",
                "tool_call_id": call.id,
                # The API has no field for it.
                "content": f"Error: {returned.text}" if returned.is_error else returned.text,
            }
            for call, returned in answered
        ]

    async def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        answer = _Answer()
        async with await self._client.chat.completions.create(**self._request(ask), stream=True) as stream:
            async for chunk in stream:
                for seen in answer.take(chunk):
                    yield seen
        reply = answer.reply()
        yield answer.counted(reply)
        self.entries.append(answer.repeated())
        yield reply

    def _request(self, ask: ChatRequest) -> dict[str, Any]:
        options = ask.options
        request: dict[str, Any] = {
            "model": ask.model,
            "messages": [{"role": "system", "content": options.system}, *self.entries],
            "stream_options": {"include_usage": True},
        }
        if ask.held:
            # The older of two names: the one that local servers know.
            request["max_tokens"] = ask.bound
        if options.functions:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": each.name,
                        "description": each.description,
                        "parameters": each.schema,
                    },
                }
                for each in options.functions
            ]
        if options.schema is not None:
            schema = portable(options.schema)
            shape = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
            request["response_format"] = {"type": "json_schema", "json_schema": shape}
        return request

    def said(self, error: Exception) -> VendorError | None:
        return openai_errors.said(error)

    async def close(self) -> None:
        await self._client.close()


class _Answer:
    """One answer while it comes."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._model: str | None = None
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._finish: str | None = None
        self._usage = TokenUsage()

    def take(self, chunk: Any) -> Iterable[Event]:
        """The events that one chunk means."""
        seen: list[Event] = []
        if self._id is None:
            self._id, self._model = chunk.id or "chat", chunk.model
            seen.append(UsageSeen(message_id=self._id, usage=TokenUsage(), model=self._model))
        if chunk.usage is not None:
            self._usage = _tokens(chunk.usage)
        for choice in chunk.choices[:1]:
            seen += self._delta(choice.delta)
            self._finish = choice.finish_reason or self._finish
        return seen or (Progress(state="chunk"),)

    def _delta(self, delta: Any) -> Iterable[Event]:
        if delta is None:
            return
        # Not OpenAI's: servers of open models send what was thought, under one of two names.
        thought = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
        if isinstance(thought, str) and thought:
            yield ThinkingDelta(text=thought)
        for pieces, text in ((self._text, delta.content), (self._refusal, delta.refusal)):
            if text:
                pieces.append(text)
                yield TextDelta(text=text)
        for piece in delta.tool_calls or ():
            yield self._call(piece)

    def _call(self, piece: Any) -> Event:
        # Some servers number no call and send each whole: a piece with an id of its own is a call of its own.
        index = piece.index if piece.index is not None else len(self._calls)
        call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        call["id"] = piece.id or call["id"] or f"call_{index}"
        function = piece.function
        call["name"] += (function.name or "") if function is not None else ""
        arguments = (function.arguments or "") if function is not None else ""
        call["arguments"] += arguments
        return Progress(state="tool_calls", tool_input_bytes=len(arguments.encode()))

    def reply(self) -> Reply:
        """The whole answer. Raises ``TruncatedError``."""
        if self._finish is None:
            raise TruncatedError("the answer stopped in the middle")
        calls = tuple(
            Call(call["id"], call["name"], arguments_of(call["arguments"])) for call in self._calls.values()
        )
        refused = "".join(self._refusal)
        # Some servers say `stop` although they call a tool.
        stop = "tool_use" if calls and self._finish == "stop" else _STOPS.get(self._finish, "pause")
        if refused:
            stop = "refusal"
        return Reply("".join(self._text) or refused, calls, stop, self._usage, self._model, refused or None)

    def counted(self, reply: Reply) -> UsageSeen:
        """The tokens of the answer: they come after its end."""
        return UsageSeen(message_id=self._id, usage=self._usage, model=self._model, stop_reason=reply.stop)

    def repeated(self) -> dict[str, Any]:
        """The answer as the next request repeats it."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._text)}
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"] or "{}"},
                }
                for call in self._calls.values()
            ]
        return message


def _tokens(usage: Any) -> TokenUsage:
    details = getattr(usage, "prompt_tokens_details", None)
    read = count(getattr(details, "cached_tokens", None))
    written = count(getattr(details, "cache_write_tokens", None))
    return TokenUsage(
        input_tokens=rest(count(usage.prompt_tokens), read, written),
        output_tokens=count(usage.completion_tokens),
        # A server that does not speak of a cache charges nothing for one.
        cache_read_tokens=read or 0,
        cache_write_5m_tokens=written or 0,
        cache_write_1h_tokens=0,
    )


def _picture(attachment: Attachment) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(attachment)}}
