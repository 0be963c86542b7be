"""Google's Gemini API through the official SDK."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import httpx2
from google import genai
from google.genai import types
from google.genai.client import DebugConfig
from google.genai.errors import APIError

from oneseat.contract.events import Event, Progress, TextDelta, ThinkingDelta, UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment
from oneseat.host.function_calls import CallResult
from oneseat.providers.schemas import portable

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
    file_text,
    newest,
    output,
)
from .endpoint import PLACEHOLDER, Endpoint
from .failures import retry_after

_STOPS: dict[str, Stop] = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "MALFORMED_FUNCTION_CALL": "pause",
    "UNEXPECTED_TOOL_CALL": "pause",
    "OTHER": "pause",
    "FINISH_REASON_UNSPECIFIED": "pause",
}
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


class GeminiConversation(History):
    """Implements ``Conversation``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        # Never used. Without it the SDK would create a client that reads certificates and proxies from the environment.
        self._unused = httpx2.Client(transport=httpx2.MockTransport(_nowhere), trust_env=False)
        self._http = transport.client(endpoint)
        self._client = genai.Client(
            vertexai=False,
            api_key=PLACEHOLDER,
            # The SDK reads omitted values from the environment, which could switch on its "record" or "replay" mode.
            debug_config=DebugConfig(client_mode="", replays_directory="", replay_id=""),
            http_options=types.HttpOptions(
                base_url=endpoint.base_url,
                api_version="v1beta",
                httpx_client=self._unused,
                httpx_async_client=self._http,
                # For a kind of connection that is never used: otherwise the SDK would load certificates from a path in a variable.
                async_client_args={"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
            ),
        )

    def prompt(self, prompt: Prompt) -> None:
        parts = [] if prompt.background is None else [self._text(prompt.background)]
        parts += [self._attached(attachment) for attachment in prompt.attachments]
        parts.append(self._text(prompt.text))
        self.put(types.Content(role="user", parts=parts), prompt)

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        parts = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id,
                    name=call.name,
                    response={"error" if returned.is_error else "output": returned.text},
                )
            )
            for call, returned in answered
        ]
        self.entries.append(types.Content(role="user", parts=parts))

    async def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        answer = _Answer()
        config = self._config(ask)
        chunks = await self._client.aio.models.generate_content_stream(
            model=ask.model, contents=self.entries, config=config
        )
        async for chunk in chunks:
            for seen in answer.take(chunk):
                yield seen
        reply = answer.reply()
        yield answer.counted(reply)
        if answer.parts:
            self.entries.append(types.Content(role="model", parts=answer.parts))
        yield reply

    def _config(self, ask: ChatRequest) -> types.GenerateContentConfig:
        options = ask.options
        declared = [
            types.FunctionDeclaration(
                name=each.name, description=each.description, parameters_json_schema=each.schema
            )
            for each in options.functions
        ]
        return types.GenerateContentConfig(
            system_instruction=options.system,
            max_output_tokens=ask.bound if ask.held else None,
            tools=[types.Tool(function_declarations=declared)] if declared else None,
            # Otherwise the SDK would call Python functions by itself.
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            response_mime_type="application/json" if options.schema is not None else None,
            response_json_schema=portable(options.schema) if options.schema is not None else None,
        )

    def said(self, error: Exception) -> VendorError | None:

        if not isinstance(error, APIError):
            return None
        found = _details(error.details)
        reasons = tuple(str(each["reason"]) for each in found if "reason" in each)
        daily = ("daily_quota",) if _is_daily(found) else ()
        status: int | None = error.code
        kinds = (*daily, *reasons, *((error.status,) if error.status else ()))
        headers = getattr(error.response, "headers", None)
        wait = _retry_info(found)
        if wait is None and headers is not None:
            wait = retry_after(headers)
        return VendorError(status, kinds, error.message or "", wait)

    async def close(self) -> None:
        self._unused.close()
        await self._http.aclose()

    def _text(self, text: str) -> types.Part:
        return types.Part(text=text)

    def _attached(self, attachment: Attachment) -> types.Part:
        kind = attachment.media_type
        if kind.startswith("image/") or kind == "application/pdf":
            return types.Part(inline_data=types.Blob(data=attachment.data, mime_type=kind))
        return self._text(file_text(attachment))


class _Answer:
    """One answer while it is received. ``parts`` must be repeated in the next request, with their signatures."""

    def __init__(self) -> None:
        self.parts: list[types.Part] = []
        self._id: str | None = None
        self._model: str | None = None
        self._finish: str | None = None
        self._why: str | None = None
        self._usage = TokenUsage()

    def take(self, chunk: types.GenerateContentResponse) -> Iterable[Event]:
        """The events for one chunk."""
        seen: list[Event] = []
        if self._id is None:
            self._id, self._model = chunk.response_id or "gemini", chunk.model_version
            seen.append(UsageSeen(message_id=self._id, usage=TokenUsage(), model=self._model))
        if chunk.usage_metadata is not None:
            counts = Counts(chunk.usage_metadata)
            self._usage = newest(self._usage, counts, _tokens(counts))
        blocked = chunk.prompt_feedback.block_reason if chunk.prompt_feedback is not None else None
        if blocked is not None:
            self._finish, self._why = "SAFETY", f"the prompt was blocked ({blocked.name})"
        for candidate in (chunk.candidates or ())[:1]:
            content = candidate.content
            seen += map(self._part, (content.parts or ()) if content is not None else ())
            if candidate.finish_reason is not None:
                self._finish = candidate.finish_reason.name
                self._why = candidate.finish_message or self._why
        return seen or (Progress(state="chunk"),)

    def _part(self, part: types.Part) -> Event:
        last = self.parts[-1] if self.parts else None
        if last is not None and _is_plain(last) and _is_plain(part) and last.thought == part.thought:
            last.text = f"{last.text}{part.text}"
        else:
            self.parts.append(part.model_copy())
        if part.function_call is not None:
            size = len(str(part.function_call.args or {}))
            return Progress(state="function_call", tool_input_bytes=size)
        if not part.text:
            return Progress(state="part")
        return ThinkingDelta(text=part.text) if part.thought else TextDelta(text=part.text)

    def reply(self) -> Reply:
        """The complete answer. Raises ``TruncatedError``."""
        if self._finish is None:
            raise TruncatedError("the answer stopped in the middle")
        calls = []
        for index, part in enumerate(self.parts):
            call = part.function_call
            if call is not None:
                call.id = call.id or f"call_{self._id}_{index}"
                calls.append(Call(call.id, call.name or "", dict(call.args or {})))
        text = "".join(part.text for part in self.parts if part.text and not part.thought)
        stop: Stop = _STOPS.get(self._finish, "refusal")
        why = None if stop in {"end_turn", "max_tokens"} else self._why or self._finish
        stop = "tool_use" if calls and stop == "end_turn" else stop
        return Reply(text, tuple(calls), stop, self._usage, self._model, why)

    def counted(self, reply: Reply) -> UsageSeen:
        """The tokens of the answer."""
        return UsageSeen(message_id=self._id, usage=self._usage, model=self._model, stop_reason=reply.stop)


def _tokens(counts: Counts) -> TokenUsage:
    read = counts.read("cached_content_token_count") or 0
    of_tools = counts.read("tool_use_prompt_token_count") or 0
    prompt = counts.read("prompt_token_count")
    written = counts.read("candidates_token_count")
    thought = counts.read("thoughts_token_count")
    sent = None if prompt is None else prompt + of_tools
    whole = None if written is None and thought is None else (written or 0) + (thought or 0)
    return counts.usage(
        input_tokens=counts.rest(sent, read),
        output_tokens=output(whole, reasoning=None, sent=sent, total=counts.read("total_token_count")),
        cache_read_tokens=read,
        # Writing to the vendor's cache is free.
        cache_write_5m_tokens=0,
        cache_write_1h_tokens=0,
    )


def _is_plain(part: types.Part) -> bool:
    """Whether a part is plain text: consecutive ones are sent back as one part."""
    return part.text is not None and not part.model_fields_set - {"text", "thought"}


def _details(response: Any) -> list[dict[str, Any]]:
    """The details of an error besides its message: a URL, a reason, when to retry."""
    body = response if isinstance(response, dict) else {}
    inner = body.get("error", body)
    details = inner.get("details") if isinstance(inner, dict) else None
    return [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []


def _is_daily(details: list[dict[str, Any]]) -> bool:
    """Whether the error is about a daily quota, which only the name of the quota shows."""
    violations = [
        each for detail in details for each in detail.get("violations") or () if isinstance(each, dict)
    ]
    return any("PerDay" in str(each.get("quotaId")) for each in violations)


def _retry_info(details: list[dict[str, Any]]) -> float | None:
    for detail in details:
        delay = str(detail.get("retryDelay", "")).removesuffix("s")
        if detail.get("@type") == _RETRY_INFO and delay.replace(".", "", 1).isdecimal():
            return float(delay)
    return None


def _nowhere(request: Any) -> Any:
    """Handler of a client that must never send a request."""
    del request
    raise RuntimeError("the unused client was called")
