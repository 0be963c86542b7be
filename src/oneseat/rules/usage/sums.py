"""Sums of usage by day, week, month, project, model, wallet or conversation.

Tokens of our own runs are exact. Tokens of transcripts are a lower bound: some versions of the official CLI leave the number of
tokens at the beginning of an answer there. Unknown money is ``None``, and never counts as 0 in a sum.
"""

from __future__ import annotations

from datetime import date

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    Key: TypeAlias = str | int | None

#: The kinds of tokens, in the order of ``Part.tokens``.
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
#: 1970-01-01 was a Thursday, three days after a Monday.
_MONDAY = 3
#: The ordinal of 1970-01-01 in ``datetime``.
_EPOCH = 719_163


class Part:
    """Usage of one model in one project, from one wallet, on one day.

    ``day`` counts from 1970-01-01 and is ``None`` without a valid date. ``source`` is ``run`` for our own runs, which are exact,
    or ``transcript``. ``listed`` is the list price and ``charged`` what was charged, in US dollars; ``None`` is unknown.
    ``special`` is the number of answers whose price is not the list price. ``searches`` are web searches, of which ``unpriced``
    are not in the list price.
    """

    __slots__ = (
        "answers",
        "charged",
        "day",
        "listed",
        "model",
        "project",
        "searches",
        "session",
        "source",
        "special",
        "tokens",
        "unpriced",
        "wallet",
    )

    def __init__(
        self,
        named: tuple[int | None, str, str, str, str, str],
        answers: int,
        tokens: tuple[int, ...],
        listed: float | None,
        charged: float | None,
        special: int = 0,
        searches: int = 0,
        unpriced: int = 0,
    ) -> None:
        self.day, self.source, self.wallet, self.project, self.model, self.session = named
        self.answers = answers
        self.tokens = tokens
        self.listed = listed
        self.charged = charged
        self.special = special
        self.searches = searches
        self.unpriced = unpriced


class Sum:
    """The sum of parts. ``unpriced`` are the tokens by model without a list price; ``at_least``: some tokens are a lower bound.

    ``searches`` are web searches, of which ``unpriced_searches`` are not in the list price.

    ``charged`` and ``saved`` cover only the ``settled`` answers: those whose charge is known.
    """

    __slots__ = (
        "answers",
        "at_least",
        "charged",
        "listed",
        "saved",
        "searches",
        "settled",
        "special",
        "tokens",
        "unpriced",
        "unpriced_searches",
    )

    def __init__(self) -> None:
        self.answers = 0
        self.tokens = [0, 0, 0, 0, 0]
        self.listed: float | None = None
        self.unpriced: dict[str, int] = {}
        self.charged: float | None = None
        self.saved: float | None = None
        self.settled = 0
        self.special = 0
        self.searches = 0
        self.unpriced_searches = 0
        self.at_least = False

    def add(self, part: Part) -> None:
        """Add a part."""
        self.answers += part.answers
        self.tokens = [mine + more for mine, more in zip(self.tokens, part.tokens, strict=True)]
        self.special += part.special
        self.searches += part.searches
        self.unpriced_searches += part.unpriced
        self.at_least = self.at_least or part.source != "run"
        if part.listed is not None:
            self.listed = (self.listed or 0.0) + part.listed
        else:
            self.unpriced[part.model] = self.unpriced.get(part.model, 0) + sum(part.tokens)
        if part.charged is not None:
            self.settled += part.answers
            self.charged = (self.charged or 0.0) + part.charged
            if part.wallet == "plan" and part.listed is not None:
                self.saved = (self.saved or 0.0) + part.listed - part.charged

    def merge(self, other: Sum) -> None:
        """Add another sum."""
        self.answers += other.answers
        self.tokens = [mine + more for mine, more in zip(self.tokens, other.tokens, strict=True)]
        self.special += other.special
        self.searches += other.searches
        self.unpriced_searches += other.unpriced_searches
        self.settled += other.settled
        self.at_least = self.at_least or other.at_least
        self.listed = _both(self.listed, other.listed)
        self.charged = _both(self.charged, other.charged)
        self.saved = _both(self.saved, other.saved)
        for model, tokens in other.unpriced.items():
            self.unpriced[model] = self.unpriced.get(model, 0) + tokens


def _both(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other


class Filter:
    """Which parts to take. ``None`` is no condition.

    ``since`` and ``until`` are days, both included; they leave out parts without a date. ``project`` is part of the name of the
    directory or of its folder, ``model`` part of the model's name. Simulated runs are left out unless ``wallet`` asks for them.
    """

    __slots__ = ("model", "project", "since", "until", "wallet")

    def __init__(
        self,
        since: int | None = None,
        until: int | None = None,
        project: str | None = None,
        model: str | None = None,
        wallet: str | None = None,
    ) -> None:
        self.since = since
        self.until = until
        self.project = project
        self.model = model
        self.wallet = wallet

    def takes(self, part: Part, folders: dict[str, set[str]]) -> bool:
        """Whether a part matches. ``folders`` are those of the directories."""
        return (
            (part.wallet != "simulator" if self.wallet is None else part.wallet == self.wallet)
            and (self.since is None or (part.day is not None and part.day >= self.since))
            and (self.until is None or (part.day is not None and part.day <= self.until))
            and (self.model is None or self.model in part.model)
            and (
                self.project is None
                or self.project in part.project
                or any(self.project in folder for folder in folders.get(part.project, ()))
            )
        )


def grouped(parts: Iterable[Part], key: Callable[[Part], Key]) -> dict[Key, Sum]:
    """The sum of each group of parts with the same ``key``."""
    sums: dict[Key, Sum] = {}
    for part in parts:
        group = key(part)
        found = sums.get(group)
        if found is None:
            found = sums[group] = Sum()
        found.add(part)
    return sums


def total(sums: Iterable[Sum]) -> Sum:
    """The sum of sums."""
    whole = Sum()
    for each in sums:
        whole.merge(each)
    return whole


def week_of(day: int | None) -> int | None:
    """The Monday of a day's week."""
    return None if day is None else day - (day + _MONDAY) % 7


def month_of(day: int | None) -> int | None:
    """The first of a day's month."""
    return None if day is None else day - date.fromordinal(day + _EPOCH).day + 1


def date_text(day: int) -> str:
    """A day as ``2026-11-20``."""
    return date.fromordinal(day + _EPOCH).isoformat()


class Block:
    """A plan's window of five hours. ``reported``: the vendor named its end; else its time is a guess."""

    __slots__ = ("begin", "end", "reported", "sum")

    def __init__(self, begin: int, end: int, *, reported: bool) -> None:
        self.begin = begin
        self.end = end
        self.reported = reported
        self.sum = Sum()


FIVE_HOURS_MS = 5 * 3_600_000
_HOUR_MS = 3_600_000


def blocks(timed: Iterable[tuple[int, Part]], resets: Sequence[int]) -> list[Block]:
    """The five-hour windows of parts with their times in milliseconds since 1970. ``resets`` are ends that the vendor named.

    Without a named end, a window begins with the hour of its first answer, as the vendor's own windows mostly do.
    """
    found: list[Block] = []
    named = sorted(resets)
    at_named = 0
    for at, part in sorted(timed, key=lambda one: one[0]):
        if not found or at >= found[-1].end:
            while at_named < len(named) and named[at_named] <= at:
                at_named += 1
            reset = named[at_named] if at_named < len(named) else None
            found.append(_block(at, found[-1].end if found else 0, reset))
        found[-1].sum.add(part)
    return found


def _block(at: int, ended: int, reset: int | None) -> Block:
    if reset is not None and reset - FIVE_HOURS_MS <= at:
        return Block(max(reset - FIVE_HOURS_MS, ended), reset, reported=True)
    begin = max(at - at % _HOUR_MS, ended)
    end = begin + FIVE_HOURS_MS
    # A guessed window must not overlap one whose start is known.
    return Block(begin, end if reset is None else min(end, reset - FIVE_HOURS_MS), reported=False)
