"""The chat completions API, which local servers and other vendors implement too, through OpenAI's SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
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
    TruncatedError,
    VendorError,
    arguments_of,
    file_text,
    newest,
    output,
)
from .endpoint import Endpoint
from .openai_dialects import (
    DONE,
    Calls,
    Chunk,
    calls_in,
    chunks,
    first_choice,
    said_in,
    stop_of,
    text_in,
    thoughts_in,
    usages_in,
)
from .openai_responses import data_url


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
            # The simplest format, as some local servers accept no other.
            self.put({"role": "user", "content": prompt.text}, prompt)
            return
        content = [_picture(each) for each in pictures] + [{"type": "text", "text": text} for text in texts]
        self.put({"role": "user", "content": content}, prompt)

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        self.entries += [
            {
                "role": "tool",
                "tool_call_id": call.id,
                # The API has no field for errors.
                "content": f"Error: {returned.text}" if returned.is_error else returned.text,
            }
            for call, returned in answered
        ]

    async def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        answer = _Answer()
        # Parsed here and not by the SDK, which fails on anything that OpenAI's own servers do not send.
        create = self._client.chat.completions.with_streaming_response.create
        async with (
            create(**self._request(ask), stream=True) as response,
            aclosing(chunks(response.iter_bytes())) as found,
        ):
            async for chunk in found:
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
            # The older of two names: the one that local servers accept.
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
        return error.said if isinstance(error, openai_errors.FailedError) else openai_errors.said(error)

    async def close(self) -> None:
        await self._client.close()


class _Answer:
    """One answer while it is received, in OpenAI's format or that of a nearly compatible server."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._model: str | None = None
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls = Calls()
        self._finish: str | None = None
        self._over = False
        self._usage = TokenUsage()

    def take(self, chunk: Chunk) -> Iterable[Event]:
        """The events for one chunk. Raises ``FailedError``."""
        if chunk is DONE:
            self._over = True
            return ()
        failed = openai_errors.failure_in(chunk)
        if failed is not None:
            raise failed
        seen: list[Event] = []
        if self._id is None:
            self._id, self._model = text_in(chunk, "id") or "chat", text_in(chunk, "model")
            seen.append(UsageSeen(message_id=self._id, usage=TokenUsage(), model=self._model))
        for usage in usages_in(chunk):
            counts = Counts(usage)
            self._usage = newest(self._usage, counts, _tokens(counts))
        for choice in first_choice(chunk):
            seen += self._choice(choice)
        return seen or (Progress(state="chunk"),)

    def _choice(self, choice: Chunk) -> Iterable[Event]:
        self._finish = text_in(choice, "finish_reason") or self._finish
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(message, dict) and not self._text and not self._calls.given:
            # The server does not stream, or repeats the whole answer at the end.
            self._over, delta = True, delta or message
        if not isinstance(delta, dict):
            delta = {"content": choice.get("text")}
        yield from (ThinkingDelta(text=text) for text in thoughts_in(delta))
        for pieces, text in ((self._text, said_in(delta)), (self._refusal, text_in(delta, "refusal"))):
            if text:
                pieces.append(text)
                yield TextDelta(text=text)
        for piece in calls_in(delta):
            size = self._calls.add(piece)
            yield Progress(state="tool_calls", tool_input_bytes=size)

    def reply(self) -> Reply:
        """The complete answer. Raises ``TruncatedError``."""
        if self._finish is None and not self._over:
            raise TruncatedError("the answer stopped in the middle")
        calls = tuple(Call(call.id, call.name, arguments_of(call.arguments)) for call in self._calls.given)
        refused = "".join(self._refusal)
        stop = stop_of(self._finish)
        # Some servers report `stop` although they call a tool, and some `tool_calls` although they call none.
        if stop in {"end_turn", "tool_use"}:
            stop = "tool_use" if calls else "end_turn"
        if refused:
            stop = "refusal"
        return Reply("".join(self._text) or refused, calls, stop, self._usage, self._model, refused or None)

    def counted(self, reply: Reply) -> UsageSeen:
        """The tokens of the answer, which are reported after its end."""
        return UsageSeen(message_id=self._id, usage=self._usage, model=self._model, stop_reason=reply.stop)

    def repeated(self) -> dict[str, Any]:
        """The answer in the format in which the next request repeats it."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._text)}
        if self._calls.given:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments or "{}"},
                }
                for call in self._calls.given
            ]
        return message


def _tokens(counts: Counts) -> TokenUsage:
    # OpenAI's names first, then those that servers of other vendors use instead.
    sent = counts.read("prompt_tokens", "input_tokens")
    read = counts.read("prompt_tokens_details.cached_tokens", "cached_tokens", "prompt_cache_hit_tokens")
    written = counts.read("prompt_tokens_details.cache_write_tokens")
    return counts.usage(
        input_tokens=counts.rest(sent, read, written),
        output_tokens=output(
            counts.read("completion_tokens", "output_tokens"),
            reasoning=counts.read("completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
            sent=sent,
            total=counts.read("total_tokens"),
        ),
        # A server that reports no cache reads charges nothing for them.
        cache_read_tokens=read or 0,
        cache_write_5m_tokens=written or 0,
        cache_write_1h_tokens=0,
    )


def _picture(attachment: Attachment) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(attachment)}}
