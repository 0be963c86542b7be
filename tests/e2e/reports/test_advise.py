"""`oneseat advise`: what a person and a program are told, on a corpus whose truth is known."""

from __future__ import annotations

import json
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest

from oneseat.stores.prices import PriceTable
from oneseat.testing.corpus import Corpus, write_corpus
from tests.e2e.driving import Seat, check_snapshot
from tests.e2e.refusals import refused

DAYS = ("--since", "2026-10-22", "--until", "2026-11-19")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def seat(tmp_path: Path, corpus: Corpus) -> Seat:
    """A seat whose transcripts are those of the corpus."""
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.env |= {"CLAUDE_CONFIG_DIR": ",".join(map(str, corpus.roots)), "TZ": "UTC"}
    return seat


def own_file(seat: Seat, text: str) -> None:
    folder = seat.home / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(text, "utf-8")


def test_what_was_measured_is_the_truth_and_what_follows_is_arithmetic(seat: Seat, corpus: Corpus) -> None:
    found = seat.run("advise", *DAYS, "--json").result
    first, last = date(2026, 10, 22), date(2026, 11, 19)
    spent = [one for one in corpus.spent if one.at and first <= one.at.astimezone(UTC).date() <= last]
    total = found["workload"]["total"]
    assert total["cache_read"] == sum(one.tokens.cache_read for one in spent)
    assert total["cache_write"] == sum(one.tokens.cache_write_5m + one.tokens.cache_write_1h for one in spent)
    assert found["period"]["days"] == (last - first + timedelta(days=1)).days
    assert found["workload"]["per_month"]["output"] == pytest.approx(
        sum(one.tokens.output for one in spent) * 30 / 29
    )
    price = PriceTable().of("claude-opus-5-5")
    assert price is not None
    rates = (
        *(price.rates.input, price.rates.output, price.rates.cache_read),
        *(price.rates.cache_write_5m, price.rates.cache_write_1h),
    )
    expected = (
        sum(count * rate for one in spent for count, rate in zip(one.tokens, rates, strict=True))
        / 1e6
        * 30
        / 29
    )
    (opus,) = [each for each in found["models"] if each["model"] == "claude-opus-5-5"]
    assert opus["least_usd_month"] == pytest.approx(expected)
    usage = seat.run("usage", "--since", DAYS[1], "--until", DAYS[3], "--json").result["total"]
    assert found["workload"]["list_price_usd"] == pytest.approx(usage["list_price_usd"])
    assert found["workload"]["unpriced_tokens"] == usage["unpriced_tokens"]
    assert list(usage["unpriced_tokens"]) == ["claude-nova-9"]


def test_advice_fits_a_terminal_and_names_its_sources_and_whom_it_is_for(seat: Seat) -> None:
    done = seat.run("advise", *DAYS)
    assert (done.code, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    for said in (
        ">",
        "as far as known",
        "? no price known, in no sum: claude-nova-9",
        "own work",
        "Not in force (paused)",
    ):
        assert said in done.stdout
    assert done.stdout.count("as of 2026-") >= 5
    check_snapshot("advise", seat, done)


def test_too_little_is_said_to_be_too_little(seat: Seat) -> None:
    done = seat.run("advise", "--since", "2026-11-18", "--until", "2026-11-19")
    assert "too little was measured" in done.stdout
    assert "a month " not in done.stdout.partition("assumptions")[0]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_nothing_at_all_is_said_to_be_nothing(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    assert seat.run("advise").stdout.startswith("Nothing was used")
    assert seat.run("advise", "--json").result["no_verdict"] == "nothing_used"


def test_an_entry_of_the_owner_wins(seat: Seat) -> None:
    own_file(
        seat,
        '{"plans": [{"id": "pro", "name": "My plan", "price_usd_month": 0.5, "api_credit_usd": 0,'
        ' "source": "my invoice", "as_of": "2026-11-20"}]}',
    )
    done = seat.run("advise", *DAYS)
    assert "My plan, with an API key for the rest, $0.50 a month" in done.stdout
    assert "my invoice" in done.stdout
    assert "\nPro " not in done.stdout


def test_the_longest_names_and_largest_numbers_fit_a_terminal(seat: Seat, corpus: Corpus) -> None:
    plan = {
        "id": "long",
        "name": "A plan " + "with a long name " * 4,
        "price_usd_month": 0.1,
        "api_credit_usd": 123456.78,
        "source": "https://" + "long" * 50,
        "as_of": "2026-11-20",
        "includes": ["much " * 60],
    }
    entries = {
        "plans": [
            plan,
            {**plan, "id": "dear", "price_usd_month": 999_999.99},
            {**plan, "id": "odd", "api_credit_usd": None},
        ],
        "alternatives": [
            {"id": "claude-model-of-a-long-name-of-all-forty-x"[:40]},
            {"id": "claude-haiku-5-5"},
        ],
        "classes": [
            {"id": "heavy", "name": "heavy " * 12, "from_usd_month": 0.01, "reason": "because " * 40}
        ],
    }
    own_file(seat, json.dumps(entries))
    done = seat.run("advise", *DAYS)
    assert max(map(len, done.stdout.splitlines())) <= 80, done.stdout
    for said in ("yes, with its API credit alone", "$999,999.99", "if it covers at most", "unknown"):
        assert said in done.stdout


def test_bad_input_is_refused(seat: Seat) -> None:
    refused("advise-two-beginnings", seat, "advise", "--since", "7d", "--days", "3")
    refused("advise-backwards", seat, "advise", "--since", "2026-11-02", "--until", "2026-11-01")
    refused("advise-no-days", seat, "advise", "--days", "0")
    own_file(seat, '{"plans": [\n  {"id": "pro",\n   "price_usd_month": "20"}]}')
    refused("advise-broken-plans", seat, "advise")
