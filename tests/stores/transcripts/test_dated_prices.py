"""What tokens cost on the day they were used, and an index from before prices had days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from oneseat.contract.budgets import Price, Tier
from oneseat.testing.corpus import Tokens
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode

from . import indexed
from .indexed import DEAR, EPOCH, PRICE, ask

PEN = Pen(12)
PLACE = Slot("5e551010-0000-4000-8000-000000000002", "/home/me/shop")
CHANGE = datetime(2026, 10, 7, tzinfo=UTC)
TOKENS = Tokens(1_000_000, 0, 0, 0, 0)


def write(root: Path, *moments: datetime, tokens: Tokens = TOKENS) -> None:
    folder = root / "projects" / PLACE.project
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "one.jsonl").open("ab") as file:
        for moment in moments:
            reply = Reply(PEN.name("msg"), moment, "claude-sonnet-5-5", tokens, PEN.name("req"))
            file.write(encode(PEN.answer(PLACE, reply)))


@pytest.fixture(autouse=True)
def _cheaper_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ordinary price halves on a day, and long requests cost no more from then on."""
    rates = msgspec.structs.replace(PRICE.rates, input=1.5)
    later = Price(rates=rates, table="test")
    day = (CHANGE - EPOCH).days
    monkeypatch.setattr(indexed, "price_of", lambda _: [(0, PRICE), (day, later)])


def costs(tmp_path: Path, zone: timezone = UTC) -> dict[str | None, float | None]:
    return {row.date: row.listed for row in ask(tmp_path / "usage.db", [tmp_path / "root"], zone).rows}


def test_each_day_has_its_own_price_and_its_own_tiers(tmp_path: Path) -> None:
    write(tmp_path / "root", CHANGE - timedelta(seconds=1), CHANGE, CHANGE + timedelta(days=3))
    assert PRICE.tiers == (Tier(200_000, DEAR),)
    # Before the change, a request of a million tokens is a long one.
    assert costs(tmp_path) == {"2026-10-06": 6.0, "2026-10-07": 1.5, "2026-10-10": 1.5}


def test_the_day_is_that_of_the_zone(tmp_path: Path) -> None:
    write(tmp_path / "root", CHANGE - timedelta(seconds=1))
    assert costs(tmp_path, timezone(timedelta(hours=2))) == {"2026-10-07": 1.5}


def test_what_is_added_later_is_priced_by_its_day_too(tmp_path: Path) -> None:
    write(tmp_path / "root", CHANGE)
    assert costs(tmp_path) == {"2026-10-07": 1.5}
    write(tmp_path / "root", CHANGE - timedelta(days=1), CHANGE)
    assert costs(tmp_path) == {"2026-10-06": 6.0, "2026-10-07": 3.0}
