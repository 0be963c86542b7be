"""The supported APIs. The vendors' model names change; the defaults are those of 2026-11-20."""

from __future__ import annotations

from .account import Api
from .chat import Conversation
from .endpoint import Endpoint


def _anthropic(endpoint: Endpoint) -> Conversation:
    from .anthropic import AnthropicConversation  # noqa: PLC0415 - loads an SDK

    return AnthropicConversation(endpoint)


def _openai(endpoint: Endpoint) -> Conversation:
    from .openai_responses import ResponsesConversation  # noqa: PLC0415 - as above

    return ResponsesConversation(endpoint)


def _compatible(endpoint: Endpoint) -> Conversation:
    from .openai_chat import ChatConversation  # noqa: PLC0415 - as above

    return ChatConversation(endpoint)


def _gemini(endpoint: Endpoint) -> Conversation:
    from .gemini import GeminiConversation  # noqa: PLC0415 - as above

    return GeminiConversation(endpoint)


APIS = {
    api.name: api
    for api in (
        Api(
            name="anthropic",
            extra="anthropic",
            module="anthropic",
            base_url="https://api.anthropic.com",
            default_model="claude-sonnet-5-5",
            # As a bearer token the vendor accepts only a login's token, and answers 401 to a key.
            header="x-api-key",
            headers={"anthropic-version": "2023-06-01"},
            # A run that names one of these goes to the same kind of model on a plan and on a key.
            short_names={
                "sonnet": "claude-sonnet-5-5",
                "opus": "claude-opus-5-5",
                "haiku": "claude-haiku-5-5",
                "fable": "claude-fable-5-2",
            },
            converse=_anthropic,
        ),
        Api(
            name="openai",
            extra="openai",
            module="openai",
            base_url="https://api.openai.com/v1",
            default_model="gpt-6.1-sol",
            header="authorization",
            scheme="Bearer ",
            simulator_path="/v1",
            converse=_openai,
        ),
        Api(
            name="gemini",
            extra="gemini",
            module="google.genai",
            base_url="https://generativelanguage.googleapis.com",
            default_model="gemini-3.8-flash",
            header="x-goog-api-key",
            converse=_gemini,
        ),
        Api(
            name="openai-compatible",
            extra="openai",
            module="openai",
            base_url=None,
            default_model=None,
            header="authorization",
            scheme="Bearer ",
            simulator_path="/v1",
            documents=False,
            # Local models have smaller contexts, and the answer has to fit in next to the prompt.
            most_tokens=8_192,
            converse=_compatible,
        ),
    )
}
