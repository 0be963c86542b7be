"""The index, the corpus and a second counter agree on every token, whatever the transcripts are full of."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from oneseat.testing.corpus import Corpus, CorpusPlan, Spent, Tokens, write_corpus
from oneseat.testing.corpus.traps import TRAPS
from oneseat.testing.corpus.truth import summed

from .indexed import DEAR, RATES, Asked, ask
from .reference import Counted, count

#: Zones with half hours and quarters, on both sides of the date line, and with clocks that change within the corpus.
ZONES = (
    "UTC",
    "Europe/Madrid",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Pacific/Niue",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"))
    for transcript in (path for root in corpus.roots for path in root.rglob("*.jsonl") if path.is_file()):
        looks = transcript.stat()
        # What was changed just now is looked at once more, and this machine may be quick.
        os.utime(transcript, (looks.st_atime, min(looks.st_mtime, looks.st_ctime - 60)))
    return corpus


@pytest.fixture(scope="module")
def counted(corpus: Corpus) -> dict[str, Counted]:
    return count(corpus.roots)


def by(keyed: Iterable[tuple[Hashable, Iterable[int]]]) -> dict[Hashable, Tokens]:
    sums: dict[Hashable, Tokens] = {}
    for key, tokens in keyed:
        sums[key] = sums.get(key, Tokens()).plus(Tokens(*tokens))
    return sums


def day_in(zone: str) -> Callable[[datetime | None], str | None]:
    return lambda at: None if at is None else str(at.astimezone(ZoneInfo(zone)).date())


def test_the_corpus_holds_every_trap(corpus: Corpus) -> None:
    assert corpus._traps >= len(TRAPS)
    assert len({one.id for one in corpus.spent}) == len(corpus.spent) > 200


def test_the_second_counter_finds_what_the_corpus_says(corpus: Corpus, counted: dict[str, Counted]) -> None:
    def key(one: Spent | Counted) -> Hashable:
        return one.at, one.model, one.session, one.project

    assert by((key(one), one.tokens) for one in counted.values()) == summed(corpus.spent, key)


@pytest.mark.parametrize("zone", ZONES)
def test_every_token_is_counted_on_its_day(corpus: Corpus, tmp_path: Path, zone: str) -> None:
    day = day_in(zone)
    asked = ask(tmp_path / "usage.db", corpus.roots, ZoneInfo(zone))
    found = by(((row.date, row.project, row.model), row.tokens) for row in asked.rows)
    assert found == summed(corpus.spent, lambda one: (day(one.at), one.project, one.model))
    assert sum(row.answers for row in asked.rows) == len(corpus.spent)


def test_every_token_is_counted_in_its_session(corpus: Corpus, tmp_path: Path) -> None:
    asked = ask(tmp_path / "usage.db", corpus.roots)
    assert asked.sessions == summed(corpus.spent, lambda one: one.session)


def test_what_cannot_be_read_is_counted_by_its_reason(corpus: Corpus, tmp_path: Path) -> None:
    asked = ask(tmp_path / "usage.db", corpus.roots)
    assert asked.notes == {**corpus.unreadable, "unfinished": 1, "links": 2}
    assert sum(row.special for row in asked.rows) == corpus.special > 0


def test_a_list_price_is_exact_and_an_unknown_one_is_unknown(corpus: Corpus, tmp_path: Path) -> None:
    def price(one: Spent) -> float:
        sent = sum(one.tokens) - one.tokens.output
        rates = DEAR if sent > 200_000 else RATES
        each = (rates.input, rates.output, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h)
        return sum(count * rate for count, rate in zip(one.tokens, each, strict=True)) / 1e6

    asked = ask(tmp_path / "usage.db", corpus.roots)
    listed = [row.listed for row in asked.rows if row.listed is not None]
    assert sum(listed) == pytest.approx(
        sum(price(one) for one in corpus.spent if one.model != "claude-nova-9")
    )
    assert {row.model for row in asked.rows if row.listed is None} == {"claude-nova-9"}


def test_nothing_is_read_again_when_nothing_changed(corpus: Corpus, tmp_path: Path) -> None:
    first, second = ask(tmp_path / "usage.db", corpus.roots), ask(tmp_path / "usage.db", corpus.roots)
    assert (first.fresh, second.fresh) == (False, True)
    assert sorted(map(repr, second.rows)) == sorted(map(repr, first.rows))
    assert second.notes == first.notes


def test_another_zone_is_another_day_and_back(corpus: Corpus, tmp_path: Path) -> None:
    def days(asked: Asked) -> dict[Hashable, Tokens]:
        return by((row.date, row.tokens) for row in asked.rows)

    utc = days(ask(tmp_path / "usage.db", corpus.roots, UTC))
    far = days(ask(tmp_path / "usage.db", corpus.roots, ZoneInfo("Pacific/Kiritimati")))
    assert utc != far
    assert days(ask(tmp_path / "usage.db", corpus.roots, UTC)) == utc


@pytest.mark.parametrize("seed", [2, 3])
def test_a_corpus_that_ages_is_counted_to_the_token(tmp_path: Path, seed: int) -> None:
    corpus = write_corpus(tmp_path / "corpus", CorpusPlan(seed=seed, files=30, size=600_000))
    index = tmp_path / "usage.db"
    ask(index, corpus.roots)
    assert corpus.clean_away()
    corpus.move()
    for _ in range(3):
        corpus.grow()
        asked = ask(index, corpus.roots)
        assert asked.sessions == summed(corpus.spent, lambda one: one.session)


def test_the_transcripts_are_only_read(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", CorpusPlan(files=10, size=100_000))

    def state() -> list[tuple[str, int, int, int]]:
        found = sorted((tmp_path / "corpus").rglob("*"))
        looks = [(path, path.lstat()) for path in found]
        return [(str(path), look.st_size, look.st_mtime_ns, look.st_mode) for path, look in looks]

    before = state()
    ask(tmp_path / "usage.db", corpus.roots)
    assert state() == before
