"""Answers that may be given again: only to the client that asked for that, to the very same request, and for its own time."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from oneseat.contract.gateway.chat import Answering, Called, Chat, Ended, Piece, Said
from oneseat.contract.gateway.clients import ApiClient

#: How many answers are kept at most, and how many characters they have together.
_MOST, _MOST_CHARS = 256, 16_000_000


class CachedAnswer(NamedTuple):
    """An answer as it was given, with the run that gave it."""

    answering: Answering
    pieces: tuple[Piece, ...]
    until: float
    chars: int


class AnswerCache:
    """Keeps answers in memory. ``now`` is in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._answers: OrderedDict[bytes, CachedAnswer] = OrderedDict()
        self._chars = 0

    def key(self, client: ApiClient, path: str, body: bytes, chat: Chat) -> bytes | None:
        """The key of a request; ``None`` where its answer is never kept: without consent, and where a tool can act."""
        if not client.cache_s or chat.tools or client.tools != "none" or client.project is not None:
            return None
        declared = f"{client.name}\n{client.created_at}\n{client.role}\n{path}\n".encode()
        return hashlib.sha256(declared + body).digest()

    def find(self, key: bytes) -> CachedAnswer | None:
        """The answer to this request, if it is not too old."""
        found = self._answers.get(key)
        if found is not None and found.until <= self._now():
            self._drop(key)
            return None
        return found

    def keep(self, key: bytes, client: ApiClient, answering: Answering, pieces: list[Piece]) -> None:
        """Keep an answer that is whole; the oldest ones make room for it."""
        if any(isinstance(piece, Called) for piece in pieces) or not isinstance(pieces[-1], Ended):
            return
        chars = sum(len(piece.text) for piece in pieces if isinstance(piece, Said))
        if key in self._answers:
            self._drop(key)
        if chars > _MOST_CHARS:
            return
        self._answers[key] = CachedAnswer(answering, tuple(pieces), self._now() + client.cache_s, chars)
        self._chars += chars
        while len(self._answers) > _MOST or self._chars > _MOST_CHARS:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: bytes) -> None:
        self._chars -= self._answers.pop(key).chars
