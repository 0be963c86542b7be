"""The index as the tests ask it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple

from oneseat.contract.budgets import Price, Rates, Tier
from oneseat.stores.transcripts.index import Index, IndexSpec, open_if_fresh, refresh
from oneseat.stores.transcripts.sums import Sums
from oneseat.testing.corpus import Tokens

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RATES = Rates(input=3, output=15, cache_read=0.3, cache_write_5m=3.75, cache_write_1h=6)
DEAR = Rates(input=6, output=22.5, cache_read=0.6, cache_write_5m=7.5, cache_write_1h=12)
PRICE = Price(rates=RATES, tiers=(Tier(200_000, DEAR),), table="test")


def price_of(model: str) -> list[tuple[int, Price | None]]:
    """A price for all models but one."""
    return [(0, None if model == "claude-nova-9" else PRICE)]


def offset_of(zone: tzinfo) -> Callable[[int], int]:
    """The offsets of a zone, as the index wants them."""

    def offset_at(second: int) -> int:
        ahead = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
        assert ahead is not None
        return round(ahead.total_seconds())

    return offset_at


class Row(NamedTuple):
    """One row of the sums by day."""

    day: int | None
    source: str
    wallet: str
    project: str
    model: str
    answers: int
    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    listed: float | None
    charged: float | None
    special: int
    searches: int
    unpriced_searches: int

    @property
    def tokens(self) -> Tokens:
        return Tokens(self.input, self.output, self.cache_read, self.cache_write_5m, self.cache_write_1h)

    @property
    def date(self) -> str | None:
        return None if self.day is None else str((EPOCH + timedelta(days=self.day)).date())


class Asked(NamedTuple):
    """What the index answered. ``fresh`` is false when it had to be brought up to date."""

    rows: list[Row]
    sessions: dict[str, Tokens]
    notes: dict[str, int]
    fresh: bool

    @property
    def total(self) -> Tokens:
        return Tokens(*(sum(row.tokens[kind] for row in self.rows) for kind in range(5)))


def ask(path: Path, roots: Sequence[Path], zone: tzinfo = UTC, ledger: Path | None = None) -> Asked:
    """Bring the index at ``path`` up to date and ask it everything."""
    wanted = IndexSpec(
        str(path), [str(root) for root in roots], str(ledger or path.with_name("none.db")), str(zone), "test"
    )
    lies, walk = open_if_fresh(wanted)
    if lies is not None:
        rows, notes = rows_of(lies)
        return Asked(rows, {}, notes, fresh=True)
    index = refresh(wanted, walk, offset_of(zone), price_of)
    sessions: dict[str, Tokens] = {}
    sums = Sums(index.db, offset_of(zone), price_of)
    for _, _, session, _, _, _, _, *tokens, _, _, _, _, _ in sums.by_session():
        sessions[session] = sessions.get(session, Tokens()).plus(Tokens(*tokens))
    rows, notes = rows_of(index)
    return Asked(rows, sessions, notes, fresh=False)


def rows_of(index: Index) -> tuple[list[Row], dict[str, int]]:
    """The sums and the notes of an open index, which is closed."""
    found = [Row(*row) for row in index.days()], index.notes()
    index.close()
    return found
