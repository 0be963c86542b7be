"""What the ledger tells the policy of a seat: how much was asked of it lately, and how that ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oneseat.contract.policy import RecentActivity
from oneseat.stores.ledger.activity import recent
from oneseat.stores.ledger.schema import open_ledger

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC).timestamp()
HOUR = 3600.0


def iso(ago_s: float) -> str:
    return datetime.fromtimestamp(NOW - ago_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_ledger(tmp_path / "runs.db", 1.0)) as opened:
        yield opened


def add(db: sqlite3.Connection, ago_s: float, **fields: Any) -> None:
    """One ended run on the plan, begun so long ago."""
    count = db.execute("SELECT count(*) FROM runs").fetchone()[0]
    row = {
        "id": f"r{count}",
        "created_at": iso(ago_s),
        "ended_at": iso(ago_s - 1),
        "status": "completed",
        "provider": "claude-cli",
        "cwd": "/",
        "prompt_bytes": 1,
        "prompt_sha256": "",
        "expected_wallet": "plan",
        "paid_from": "plan",
        "verdict": "verified",
        "owner_pid": 1,
        "owner_started": 0.0,
        **fields,
    }
    db.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", row)


def asked(db: sqlite3.Connection) -> RecentActivity:
    return recent(db, "claude-cli", NOW, simulated=False)


def test_an_empty_ledger_knows_of_nothing(db: sqlite3.Connection) -> None:
    assert asked(db) == RecentActivity()


def test_runs_of_the_last_hour_and_day_are_counted(db: sqlite3.Connection) -> None:
    for ago in (10, HOUR - 1, HOUR + 1, 5 * HOUR, 24 * HOUR - 1, 24 * HOUR + 1):
        add(db, ago)
    found = asked(db)
    assert (found.last_hour, found.last_day, found.hours) == (2, 5, 4)


def test_what_cost_the_plan_nothing_is_not_counted(db: sqlite3.Connection) -> None:
    add(db, 10, verdict="nothing_sent")
    add(db, 10, paid_from="api_key", expected_wallet="api_key")
    add(db, 10, expected_wallet="simulator")
    add(db, 10, provider="codex-cli")
    assert asked(db).last_hour == 0
    # Runs from before there was a choice were the plan's.
    add(db, 10, paid_from=None)
    assert asked(db).last_hour == 1


def test_runs_that_go_on_are_counted_whoever_has_begun_them(db: sqlite3.Connection) -> None:
    for pid in (1, 2, 3):
        fields = {"expected_wallet": None, "paid_from": None, "verdict": None}
        add(db, 5, status="running", ended_at=None, owner_pid=pid, **fields)
    add(db, 5)
    assert asked(db).at_once == 3


def test_the_last_end_of_a_run_that_was_sent_is_told(db: sqlite3.Connection) -> None:
    add(db, 100, status="failed", error_code="provider.account_on_hold")
    add(db, 50, status="refused", error_code="policy.red", verdict="nothing_sent")
    found = asked(db)
    assert (found.last_error, found.last_end) == ("provider.account_on_hold", iso(99))
    add(db, 20)
    assert asked(db).last_error is None


def report(
    db: sqlite3.Connection, window: str, ago_s: float, overage: int | None, resets_in_s: float | None
) -> None:
    resets_at = None if resets_in_s is None else NOW + resets_in_s
    row = ("claude-cli", 0, window, "allowed", None, resets_at, "test", overage, NOW - ago_s, NOW - ago_s)
    db.execute("INSERT INTO limits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def test_a_report_of_paid_usage_holds_until_its_window_is_reset(db: sqlite3.Connection) -> None:
    report(db, "five_hour", 60, 1, 1800)
    assert asked(db).overage_until == NOW + 1800
    report(db, "seven_day", 30, 0, 3600)
    assert asked(db).overage_until == NOW + 1800
    report(db, "five_hour", 20, 0, 1800)
    assert asked(db).overage_until is None
    report(db, "five_hour", 10, 1, None)
    assert asked(db).overage_until == NOW - 10 + 5 * HOUR
