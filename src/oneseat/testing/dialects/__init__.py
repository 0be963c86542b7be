"""The APIs that the simulator implements. The path of a request decides which one it uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

from oneseat.testing.replies import Answer, Failure, Limits

from . import chat, codex, gemini, messages, responses
from .common import Ask, Part

_PATHS = {
    re.compile(r"/v1/messages"): "messages",
    re.compile(r"(/v1)?/responses"): "responses",
    re.compile(r"/codex/v1/responses"): "codex",
    re.compile(r"(/v1)?/chat/completions"): "chat",
    re.compile(r"/v1(alpha|beta)?/models/[^/:]+:(streamGenerate|generate)Content"): "gemini",
}


class Dialect(Protocol):
    """One API without a network: parses requests and encodes replies."""

    PING: bytes

    def parse(self, body: bytes, path: str) -> Ask:
        """Parse a request. Raises ``BadRequestError``."""

    def whole(self, answer: Answer, ask: Ask, message_id: str) -> dict[str, Any]:
        """The answer as one JSON object, for a request without streaming."""

    def parts(self, answer: Answer, ask: Ask, message_id: str) -> Iterator[Part]:
        """The answer as the events of a stream, in order."""

    def failure(self, failure: Failure, request_id: str) -> tuple[int, dict[str, Any]]:
        """The status and the body of an error in the API's own shape."""

    def broken(self) -> Part:
        """An error that arrives after the stream has begun."""

    def limit_headers(self, limits: Limits, started_at: float) -> list[tuple[str, str]]:
        """The headers about usage windows. ``started_at`` is in seconds since 1970."""


_DIALECTS: dict[str, Dialect] = {
    "messages": messages,
    "responses": responses,
    "codex": codex,
    "chat": chat,
    "gemini": gemini,
}


def dialect_of(method: str, path: str) -> Dialect | None:
    """The API of a model request; ``None`` for every other request."""
    if method != "POST":
        return None
    return next((_DIALECTS[name] for pattern, name in _PATHS.items() if pattern.fullmatch(path)), None)
