"""What was used, added up: by day, week, month, project, model, wallet or conversation. Pure arithmetic.

Tokens of our own runs are exact. Tokens of transcripts are at least that many: some versions of the official CLI leave the
number of tokens at the beginning of an answer there. Money that is not known is ``None``, and never in a sum as 0.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    Key: TypeAlias = str | int | None

#: The kinds of tokens, in the order of ``Part.tokens``.
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
#: How many days 1970-01-01, a Thursday, came after a Monday.
_MONDAY = 3
_DAYS_OF_400_YEARS, _DAYS_TO_1970 = 146_097, 719_468


class Part:
    """Some use of one model, in one project, from one wallet, on one day.

    ``day`` counts from 1970-01-01 and is ``None`` when no date could be read. ``source`` is ``run`` for our own runs, which are
    exact, or ``transcript``. ``listed`` is the list price and ``charged`` what was charged, in US dollars; ``None`` is unknown.
    ``special`` is how many answers have another price than the list's.
    """

    __slots__ = (
        "answers",
        "charged",
        "day",
        "listed",
        "model",
        "project",
        "session",
        "source",
        "special",
        "tokens",
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
    ) -> None:
        self.day, self.source, self.wallet, self.project, self.model, self.session = named
        self.answers = answers
        self.tokens = tokens
        self.listed = listed
        self.charged = charged
        self.special = special


class Sum:
    """Parts added up. ``unpriced`` are the tokens by model that ``listed`` does not hold; ``at_least`` says that some tokens
    are a lower bound. ``charged`` and ``saved`` hold the ``settled`` answers only: those of which is known what they cost.
    """

    __slots__ = (
        "answers",
        "at_least",
        "charged",
        "listed",
        "saved",
        "settled",
        "special",
        "tokens",
        "unpriced",
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
        self.at_least = False

    def add(self, part: Part) -> None:
        """Add a part."""
        self.answers += part.answers
        self.tokens = [mine + more for mine, more in zip(self.tokens, part.tokens, strict=True)]
        self.special += part.special
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
        """Add what another sum holds."""
        self.answers += other.answers
        self.tokens = [mine + more for mine, more in zip(self.tokens, other.tokens, strict=True)]
        self.special += other.special
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
    """Which parts to take; what is ``None`` does not matter.

    ``since`` and ``until`` are days and both included; a part without a date is then left out. ``project`` is a piece of the
    directory's or the folder's name, ``model`` a piece of the model's. Simulated runs are taken only when asked for.
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

    def takes(self, part: Part, directories: dict[str, str]) -> bool:
        """Whether a part is one of those. ``directories`` are those of the projects' folders."""
        return (
            (part.wallet != "simulator" if self.wallet is None else part.wallet == self.wallet)
            and (self.since is None or (part.day is not None and part.day >= self.since))
            and (self.until is None or (part.day is not None and part.day <= self.until))
            and (self.model is None or self.model in part.model)
            and (
                self.project is None
                or self.project in part.project
                or self.project in directories.get(part.project, "")
            )
        )


def grouped(parts: Iterable[Part], key: Callable[[Part], Key]) -> dict[Key, Sum]:
    """The sum of each group that ``key`` makes."""
    sums: dict[Key, Sum] = {}
    for part in parts:
        group = key(part)
        found = sums.get(group)
        if found is None:
            found = sums[group] = Sum()
        found.add(part)
    return sums


def total(sums: Iterable[Sum]) -> Sum:
    """All of them together."""
    whole = Sum()
    for each in sums:
        whole.merge(each)
    return whole


def week_of(day: int | None) -> int | None:
    """The Monday of a day's week."""
    return None if day is None else day - (day + _MONDAY) % 7


def month_of(day: int | None) -> int | None:
    """The first of a day's month."""
    return None if day is None else day - int(date_text(day)[8:]) + 1


def date_text(day: int) -> str:
    """A day as ``2026-11-20``."""
    # The years begin in March, so that the day that is not in every year is the last one.
    days = day + _DAYS_TO_1970
    era, of_era = divmod(days, _DAYS_OF_400_YEARS)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    date = of_year - (153 * march + 2) // 5 + 1
    month = march + 3 if march < 10 else march - 9
    return f"{year + era * 400 + (month <= 2):04}-{month:02}-{date:02}"


class Block:
    """Five hours in which a plan counts together. ``reported`` says that the vendor named its end; else it is a guess."""

    __slots__ = ("begin", "end", "reported", "sum")

    def __init__(self, begin: int, end: int, *, reported: bool) -> None:
        self.begin = begin
        self.end = end
        self.reported = reported
        self.sum = Sum()


FIVE_HOURS_MS = 5 * 3_600_000
_HOUR_MS = 3_600_000


def blocks(timed: Iterable[tuple[int, Part]], resets: Sequence[int]) -> list[Block]:
    """The blocks of parts with their moments, both in milliseconds since 1970; ``resets`` are ends that the vendor named.

    Without a named end, a block begins with the hour of its first answer, as the vendor's own windows do most of the time.
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
    # A guess must not reach into a window of which is known when it began.
    return Block(begin, end if reset is None else min(end, reset - FIVE_HOURS_MS), reported=False)
