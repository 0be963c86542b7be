"""Rows of the ledger that no oneseat of today writes: they are in a footnote, and every report still works."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from oneseat.contract.budgets import Budget, Since
from oneseat.contract.events import UsageSeen
from oneseat.contract.receipt import TokenUsage
from oneseat.stores.ledger.reader import LedgerReader
from tests.e2e.driving import Seat
from tests.stores.making import make_request, make_result, make_writer

YEAR_2000 = "2000-01-01T00:00:00.000Z"
REPORTS = (
    ("usage", "--json"),
    ("usage", "models", "--json"),
    ("usage", "blocks", "--json"),
    ("usage", "--check", "--json"),
    ("advise", "--json"),
)
ABSURD: tuple[dict[str, Any], ...] = (
    {"input_tokens": 10**30},
    {"output_tokens": 2**63},
    {"input_tokens": -1_000_000, "output_tokens": -5},
)


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat = Seat(tmp_path, tmp_path / "no-claude")
    seat.ledger.parent.mkdir(parents=True)
    writer = make_writer(seat.ledger)
    for name in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        writer.begin(name, make_request(), "claude-cli")
        writer.record(name, UsageSeen(message_id=f"msg_{name}", usage=TokenUsage(1, 1, 0, 0, 0), model="m"))
        writer.finish(make_result(name, wallet="plan"))
    writer.close()
    return seat


def change(seat: Seat, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db, db:
        db.execute(statement, values)


def reports(seat: Seat) -> list[dict[str, Any]]:
    found = [seat.run(*report) for report in REPORTS]
    assert {each.code for each in found} <= {0, 8}, found
    return [each.result for each in found]


@pytest.mark.parametrize("absurd", ABSURD)
def test_a_count_that_cannot_be_true_is_unknown(seat: Seat, absurd: dict[str, Any]) -> None:
    result = json.loads(_value(seat, "SELECT result FROM runs WHERE id = 'aaaaaaaaaaaa'"))
    result["receipt"]["usage"] |= absurd
    change(seat, "UPDATE runs SET result = ? WHERE id = 'aaaaaaaaaaaa'", json.dumps(result))
    for report in reports(seat):
        assert "ledger_rows" not in report["not_read"]


@pytest.mark.parametrize("usd", [-1.0, 1e308, float("inf")])
def test_a_cost_that_cannot_be_true_is_unknown(seat: Seat, usd: float) -> None:
    change(seat, "UPDATE runs SET cost_usd = ?, equivalent_cost_usd = ? WHERE id = 'aaaaaaaaaaaa'", usd, usd)
    daily = reports(seat)[0]
    assert 0 <= daily["total"]["list_price_usd"] < 10


@pytest.mark.parametrize(
    "text", ["not json", "[]", "{}", '{"receipt": 3}', '{"receipt": {"verdict": "verified"}}']
)
def test_a_row_that_cannot_be_read_is_in_a_footnote(seat: Seat, text: str) -> None:
    change(seat, "UPDATE runs SET result = ? WHERE id = 'aaaaaaaaaaaa'", text)
    for report in reports(seat):
        assert report["not_read"]["ledger_rows"] == 1
    change(seat, "UPDATE runs SET cwd = '/desk' WHERE id = 'bbbbbbbbbbbb'")
    assert reports(seat)[0]["not_read"]["ledger_rows"] == 1


@pytest.mark.parametrize("text", ["not json", "[]", "3"])
def test_an_event_that_cannot_be_read_is_in_a_footnote(seat: Seat, text: str) -> None:
    change(seat, "UPDATE events SET json = ? WHERE run_id = 'aaaaaaaaaaaa'", text)
    for report in reports(seat):
        assert report["not_read"]["ledger_rows"] == 1


@pytest.mark.parametrize("usd", [-1000.0, 1e308])
def test_a_cost_that_cannot_be_true_neither_frees_a_budget_nor_blocks_it(seat: Seat, usd: float) -> None:
    change(seat, "UPDATE runs SET equivalent_cost_usd = ?, reserved_usd = 0.5", usd)
    with LedgerReader(seat.ledger) as reader:
        (found,) = reader.spent((Budget(1.0, "day"),), "plan", Since(day=YEAR_2000, month=YEAR_2000))
    assert found.usd == 1.0


def _value(seat: Seat, query: str) -> str:
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db:
        (found,) = db.execute(query).fetchone()
        return str(found)
