"""What a dialect is."""

from __future__ import annotations

import uuid
from typing import Any, Protocol

import msgspec

from oneseat.contract.gateway.chat import Chat, Piece
from oneseat.contract.receipt import TokenUsage
from oneseat.serve.gateway.errors import Shape

_encoder = msgspec.json.Encoder()


class Writer(Protocol):
    """Writes one answer."""

    def piece(self, piece: Piece) -> bytes:
        """The server-sent events of a piece; empty for none."""

    def whole(self, pieces: list[Piece]) -> dict[str, Any]:
        """The answer in one object. The last piece is its end."""


class Dialect(Protocol):
    """One API of a vendor. ``required`` are hints that it demands of every request."""

    shape: Shape
    required: frozenset[str]

    def read(self, body: dict[str, Any]) -> Chat:
        """A request. Raises ``ApiError`` for what is not one, or cannot be honoured."""

    def writer(self, chat: Chat) -> Writer:
        """What writes its answer."""


def new_id(prefix: str) -> str:
    """An id in the vendor's style."""
    return prefix + uuid.uuid4().hex[:24]


def event(data: dict[str, Any], name: str | None = None) -> bytes:
    """One server-sent event."""
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + _encoder.encode(data) + b"\n\n"


def input_total(usage: TokenUsage) -> int:
    """Every token that was read, from the cache or not, as OpenAI counts them. What is not known counts as none there."""
    return sum(
        count or 0
        for count in (
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
        )
    )
