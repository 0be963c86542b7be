"""Transcript lines as version 2.1.329 of the official CLI writes them: the same fields in the same order."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from .truth import Tokens

VERSION = "2.1.329"
_WORDS = (
    "the",
    "build",
    "failed",
    "because",
    "a",
    "fixture",
    "was",
    "left",
    "open",
    "and",
    "nobody",
    "had",
    "closed",
    "it",
)


class Slot(NamedTuple):
    """The session of a project that lines belong to. ``origin`` is the session that a fork was made from."""

    session: str
    cwd: str
    sidechain: bool = False
    agent: str | None = None

    @property
    def project(self) -> str:
        """The name of the project's folder, as the CLI derives it from the directory."""
        return "".join(char if char.isascii() and char.isalnum() else "-" for char in self.cwd)


class Reply(NamedTuple):
    """One answer of the model, before it is written to a transcript."""

    id: str
    at: datetime
    model: str
    tokens: Tokens
    request: str


class Pen:
    """Writes lines. All random content comes from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same corpus for the same seed, and no secret
        self._text = " ".join(self.random.choice(_WORDS) for _ in range(60_000))

    def uuid(self) -> str:
        """A random UUID."""
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def name(self, prefix: str) -> str:
        """A random id of a message or a request."""
        return f"{prefix}_01{self.random.getrandbits(110):022x}"

    def text(self, size: int) -> str:
        """About ``size`` bytes of text."""
        start = self.random.randrange(max(len(self._text) - size, 1))
        return self._text[start : start + size]

    def tokens(self) -> Tokens:
        """Plausible token counts for one answer of a long session."""
        roll = self.random
        write = roll.randrange(0, 6000)
        hour = roll.random() < 0.5
        return Tokens(
            input=roll.randrange(1, 400),
            output=roll.randrange(5, 900),
            cache_read=roll.randrange(0, 180_000),
            cache_write_5m=0 if hour else write,
            cache_write_1h=write if hour else 0,
        )

    def prompt(self, place: Slot, at: datetime, size: int) -> bytes:
        """A line with the user's prompt or a tool's result."""
        block = {"type": "tool_result", "tool_use_id": self.name("toolu"), "content": self.text(size)}
        fields = {
            "parentUuid": self.uuid(),
            "isSidechain": place.sidechain,
            "promptId": self.uuid(),
            "type": "user",
            "message": {"role": "user", "content": [block]},
            **self._common(place, at),
        }
        return encode(fields)

    def answer(self, place: Slot, reply: Reply, **changed: Any) -> dict[str, Any]:
        """A line with one block of an answer; ``changed`` replaces ``usage``, ``content``, ``uuid`` or ``tokens``."""
        content = changed.get("content") or [
            {"type": "text", "text": self.text(self.random.randrange(40, 1800))}
        ]
        agent = {"agentId": place.agent} if place.agent else {}
        return {
            "parentUuid": self.uuid(),
            "isSidechain": place.sidechain,
            **agent,
            "message": {
                "id": reply.id,
                "type": "message",
                "role": "assistant",
                "model": reply.model,
                "content": content,
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": changed.get("usage") or usage(changed.get("tokens", reply.tokens)),
                "stop_details": None,
            },
            "requestId": reply.request,
            "type": "assistant",
            **self._common(place, reply.at),
        }

    def _common(self, place: Slot, at: datetime) -> dict[str, Any]:
        return {
            "uuid": self.uuid(),
            "timestamp": stamp(at),
            "userType": "external",
            "entrypoint": "cli",
            "cwd": place.cwd,
            "sessionId": place.session,
            "version": VERSION,
            "gitBranch": "main",
        }


def usage(tokens: Tokens) -> dict[str, Any]:
    """The usage of an answer as the vendor reports it."""
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "cache_creation": {
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
        },
        "inference_geo": "",
        "iterations": [],
        "speed": "standard",
    }


def stamp(at: datetime) -> str:
    """A time as the CLI writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(at: datetime, seconds: float) -> datetime:
    """The time that many seconds after ``at``, in whole milliseconds."""
    return at + timedelta(milliseconds=round(seconds * 1000))


def encode(fields: dict[str, Any]) -> bytes:
    """One line, including its newline."""
    return msgspec.json.encode(fields) + b"\n"
