"""Sums over the index: stored by day for most views, and computed by session or answer for the others."""

from __future__ import annotations

import time

from .doubles import UNDATED
from .schema import ANSWERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, TypeAlias

    from oneseat.contract.budgets import Price

    from .doubles import Row

    #: The seconds that a zone is ahead of UTC at a time in seconds since 1970.
    OffsetAt: TypeAlias = Callable[[int], int]
    #: Every price of a model with the day it begins, counted from 1970, in order; the first one begins with 0.
    PriceOf: TypeAlias = Callable[[str], Sequence[tuple[int, Price | None]]]
    #: The rates of a model, the price of a web search at their end, by the request size from which they apply; empty when
    #: they are unknown.
    Rates: TypeAlias = dict[int, tuple[float | None, ...]]
    #: The key of a row of the sums by day: day, project, model, tier.
    _Group: TypeAlias = tuple[int | None, str, str, int]

DAY_MS = 86_400_000
_STEP_S = 7 * 86_400
_TOKENS = "sum(input), sum(output), sum(cache_read), sum(cache_write_5m), sum(cache_write_1h)"
_KINDS = "input, output, cache_read, cache_write_5m, cache_write_1h"
_INSERT = "INSERT INTO days VALUES (?, 'transcript', 'unknown', ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)"
_SENT = "input + cache_read + cache_write_5m + cache_write_1h"
#: An answer to one of our runs is not counted by its transcript, because the run's receipt is exact. It is found by its id, which
#: the run was told, in the run's conversation or time because an id need not be unique, or by its conversation and time where
#: the CLI kept the id to itself.
_NOT_OURS = f"""
NOT EXISTS (
    SELECT 1 FROM asked JOIN runs ON runs.id = asked.run
    WHERE asked.answer = answers.id AND runs.known AND (
        runs.session = answers.session OR -answers.before BETWEEN runs.at AND runs.ended OR answers.before = {-UNDATED}
    )
)
AND NOT EXISTS (
    SELECT 1 FROM runs
    WHERE runs.session = answers.session AND runs.known AND -answers.before BETWEEN runs.at AND runs.ended
)
"""  # noqa: S608 - a number


class Sums:
    """Sums over the index in ``db``, with days of the zone ``offset_at`` and the list prices ``price_of``."""

    def __init__(self, db: sqlite3.Connection, offset_at: OffsetAt, price_of: PriceOf) -> None:
        self._db = db
        self._offset_at = offset_at
        self._rates = {model: self._rates_of(model, price_of) for model in self._models()}
        self._today = int(time.time() * 1000 + offset_at(int(time.time())) * 1000) // DAY_MS
        self._thresholds = sorted(
            {above for eras in self._rates.values() for _, rates in eras for above in rates if above > 0}
        )
        #: The price thresholds as text. When they change, all sums by day are rebuilt.
        self.tiers = " ".join(map(str, self._thresholds))
        #: SQL for how many of the thresholds a request passes: above each, the whole request costs more.
        self._tier = " + ".join([f"({_SENT} > {above})" for above in self._thresholds]) or "0"
        has_runs = db.execute("SELECT 1 FROM runs LIMIT 1").fetchone()
        self._counted = f"NOT double AND {_NOT_OURS}" if has_runs else "NOT double"

    def write_days(self, touched: Mapping[tuple[Any, ...], Row | None] | None) -> None:
        """Update the sums by day for the ``touched`` answers, given as they were before, or rebuild them all for ``None``."""
        if touched is not None:
            for group, change in self._changes(touched).items():
                self._change_day(group, change)
            return
        self._db.execute("DELETE FROM days")
        self._write_runs()
        day = self._day("-before")
        self._db.executemany(
            _INSERT, self._answers(f"{day}, project", "1, 2", self._counted, lambda key: key[0])
        )

    def _changes(self, touched: Mapping[tuple[Any, ...], Row | None]) -> dict[_Group, list[int]]:
        """How many answers, tokens of each kind, special answers and web searches each group gains or loses."""
        columns = ", ".join(f"? AS {name}" for name in ANSWERS)
        query = f"""
            SELECT project, model, {self._tier}, before, 1, {_KINDS}, special, searches
            FROM (SELECT {columns}) AS answers WHERE {self._counted}
        """  # noqa: S608 - numbers and names of columns
        changes: dict[_Group, list[int]] = {}
        by_key = "SELECT * FROM answers WHERE id = ? AND session = ? AND slot = ? AND part = ?"
        for key, before in touched.items():
            now = self._db.execute(by_key, key).fetchone()
            for row, sign in ((before, -1), (now, 1)) if before != now else ():
                for project, model, tier, at, *amounts in self._db.execute(query, row) if row else ():
                    group = (None if at == -UNDATED else self._day_at(-at), project, model, tier)
                    known = changes.setdefault(group, [0] * len(amounts))
                    changes[group] = [one + sign * more for one, more in zip(known, amounts, strict=True)]
        return changes

    def _change_day(self, group: _Group, change: list[int]) -> None:
        where = "source = 'transcript' AND day IS ? AND project = ? AND model = ? AND tier = ?"
        query = f"SELECT rowid, answers, {_KINDS}, special, searches FROM days WHERE {where}"  # noqa: S608 - names of columns
        row, *known = self._db.execute(query, group).fetchone() or (None, *(0 for _ in change))
        count, *tokens, special, searches = (one + more for one, more in zip(known, change, strict=True))
        self._db.execute("DELETE FROM days WHERE rowid = ?", (row,))
        if count:
            day, project, model, tier = group
            listed, unpriced = self._listed(model, tier, tokens, searches, day)
            amounts = (count, *tokens, listed, special, searches, unpriced)
            self._db.execute(_INSERT, (day, project, model, *amounts, tier))

    def by_session(self) -> Iterator[tuple[Any, ...]]:
        """The rows of ``days`` by conversation, whose id follows the source. A run without one is a conversation of its own."""
        day = self._day("-before")
        for session, on, project, *rest in self._answers(
            f"session, {day}, max(project)", "1, 2", self._counted, lambda key: key[1]
        ):
            model, *sums, special, searches, unpriced, _ = rest
            end = (None, special, searches, unpriced)
            yield (on, "transcript", session, "unknown", project, model, *sums, *end)
        for on, _, session, _, *rest in self._runs():
            yield (on, "run", session, *rest)

    def by_run(self) -> Iterator[tuple[Any, ...]]:
        """Our runs, in the columns of ``days`` with the run's id after the source."""
        for on, _, _, run, *rest in self._runs():
            yield (on, "run", run, *rest)

    def by_moment(self) -> Iterator[tuple[Any, ...]]:
        """The rows of ``days`` by time, which follows the source. Those without a date are left out."""
        where = f"before > {-UNDATED} AND {self._counted}"
        answers = self._answers("before, project", "1, 2", where, lambda key: self._day_at(-key[0]))
        for before, project, model, *sums, special, searches, unpriced, _ in answers:
            end = (None, special, searches, unpriced)
            yield (None, "transcript", -before, "unknown", project, model, *sums, *end)
        for _, at, _, _, *rest in self._runs():
            if at != UNDATED:
                yield (None, "run", at, *rest)

    def _day(self, moment_ms: str) -> str:
        return _day_sql(moment_ms, self._offset_at, *self._bounds())

    def _day_at(self, moment_ms: int) -> int:
        return (moment_ms + self._offset_at(moment_ms // 1000) * 1000) // DAY_MS

    def _write_runs(self) -> None:
        self._db.executemany(
            "INSERT INTO days VALUES (?, 'run', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            ((day, *rest) for day, _, _, _, *rest in self._runs()),
        )

    def _runs(self) -> list[tuple[Any, ...]]:
        """Each of our runs: day, time, conversation, id, and the columns of ``days`` from the wallet to the unpriced searches."""
        query = f"""
            SELECT {self._day("at")}, at, coalesce(session, 'run ' || id), id, wallet, project, model,
                (SELECT max(count(*), 1) FROM asked WHERE asked.run = runs.id),
                {_KINDS}, listed, charged, 0, searches, 0
            FROM runs
        """  # noqa: S608 - numbers and names of columns
        return self._db.execute(query).fetchall()

    def _answers(
        self, columns: str, by: str, where: str, day_in: Callable[[Sequence[Any]], int | None]
    ) -> Iterator[tuple[Any, ...]]:
        """Groups of answers: ``columns``, then model, how many, tokens by kind, list price, special, searches, unpriced ones, tier.

        ``day_in`` finds the day of a group in its columns.
        """
        query = f"""
            SELECT {columns}, model, {self._tier} AS tier, count(*), {_TOKENS}, sum(special), sum(searches)
            FROM answers WHERE {where} GROUP BY {by}, model, tier
        """  # noqa: S608 - numbers and names of columns
        for row in self._db.execute(query).fetchall():
            *key, model, tier, count, given, out, read, five, hour, special, searches = row
            tokens = (given, out, read, five, hour)
            listed, unpriced = self._listed(model, tier, tokens, searches, day_in(key))
            yield (*key, model, count, *tokens, listed, special, searches, unpriced, tier)

    def _listed(
        self, model: str, tier: int, tokens: Sequence[int], searches: int, day: int | None
    ) -> tuple[float | None, int]:
        """What tokens and web searches cost on their day, and how many searches have no known price.

        On an unknown day, they cost as much as today.
        """
        eras = self._rates[model]
        if len(eras) > 1:
            on = self._today if day is None else day
            eras = [era for era in eras if era[0] <= on] or eras[:1]
        passed = self._thresholds[tier - 1] if tier else 0
        rates = max(((above, rates) for above, rates in eras[-1][1].items() if above <= passed), default=None)
        if rates is None:
            return None, searches
        *each, search = rates[1]
        listed = sum(count * (rate or 0.0) for count, rate in zip(tokens, each, strict=True)) / 1_000_000
        return (listed, searches) if search is None else (listed + searches * search, 0)

    def _models(self) -> list[str]:
        return [
            model for (model,) in self._db.execute("SELECT model FROM models UNION SELECT model FROM runs")
        ]

    def _rates_of(self, model: str, price_of: PriceOf) -> list[tuple[int, Rates]]:
        """The rates of a model with the day they begin.

        They are stored in the index, because loading the price table takes longer than a small update.
        """
        query = f"SELECT since, above, {_KINDS}, web_search FROM rates WHERE model = ?"  # noqa: S608 - names of columns
        rows = self._db.execute(query, (model,)).fetchall()
        if not rows:
            rows = [row for since, price in price_of(model) for row in _rows(since, price)]
            self._db.executemany(
                "INSERT INTO rates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(model, *row) for row in rows]
            )
        eras: dict[int, Rates] = {}
        for since, above, *rates in rows:
            known = eras.setdefault(since, {})
            if rates[0] is not None:
                known[above] = tuple(rates)
        return sorted(eras.items())

    def _bounds(self) -> tuple[int, int]:
        """The first and the last time in the index, in milliseconds."""
        query = f"""
            SELECT -max(before), -min(before) FROM answers WHERE before > {-UNDATED}
            UNION ALL SELECT min(at), max(at) FROM runs
        """  # noqa: S608 - a number
        found = [bound for row in self._db.execute(query) for bound in row if bound is not None]
        return (min(found), max(found)) if found else (0, 0)


def _rows(since: int, price: Price | None) -> Iterator[tuple[Any, ...]]:
    """A price as rows of the index, one for each request size."""
    if price is None:
        yield (since, 0, None, None, None, None, None, None)
        return
    for above, rates in ((0, price.rates), *((tier.above, tier.rates) for tier in price.tiers)):
        yield (
            *(since, above, rates.input, rates.output),
            *(rates.cache_read, rates.cache_write_5m, rates.cache_write_1h, price.web_search),
        )


def _day_sql(moment_ms: str, offset_at: OffsetAt, first_ms: int, last_ms: int) -> str:
    """SQL for the day, counted from 1970, of the SQL expression ``moment_ms``; null for ``UNDATED``.

    It is valid from ``first_ms`` to ``last_ms``, also across changes of the clocks.
    """
    changes = _offsets(offset_at, first_ms // 1000, last_ms // 1000)
    whens = "".join(
        f" WHEN {moment_ms} < {until * 1000} THEN {offset * 1000}" for until, offset in changes[:-1]
    )
    ahead = f"CASE{whens} ELSE {changes[-1][1] * 1000} END" if whens else str(changes[-1][1] * 1000)
    return f"CASE WHEN {moment_ms} = {UNDATED} THEN NULL ELSE ({moment_ms} + {ahead}) / {DAY_MS} END"


def _offsets(offset_at: OffsetAt, first: int, last: int) -> list[tuple[int, int]]:
    """The zone's successive offsets, each with the second at which it ends."""
    found: list[tuple[int, int]] = []
    begin = first
    offset = offset_at(begin)
    while begin <= last:
        end = begin + _STEP_S
        if offset_at(end) != offset:
            low, high = begin, end
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == offset else (low, middle)
            found.append((high, offset))
            end, offset = high, offset_at(high)
        begin = end
    return [*found, (last + 1, offset)]
