"""The true content of a corpus: every answer once, no matter how often the transcripts repeat it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import NamedTuple

#: The kinds of tokens, in the order of ``Tokens``.
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class Tokens(NamedTuple):
    """Tokens by kind."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """The sum of both."""
        return Tokens(*map(sum, zip(self, other, strict=True)))


class Spent(NamedTuple):
    """One answer of the model. ``project`` is its directory; ``at`` is in UTC, ``None`` when no transcript has a valid date."""

    id: str
    at: datetime | None
    model: str
    session: str
    project: str
    tokens: Tokens


def summed(spent: Iterable[Spent], key: Callable[[Spent], Hashable]) -> dict[Hashable, Tokens]:
    """The tokens of each group of answers with the same ``key``."""
    sums: dict[Hashable, Tokens] = {}
    for one in spent:
        group = key(one)
        sums[group] = sums.get(group, Tokens()).plus(one.tokens)
    return sums
