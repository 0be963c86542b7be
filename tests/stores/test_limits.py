"""The history of usage windows: a line for each change, the simulator's apart from the plan's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from oneseat.contract.events import LimitSeen, WalletVerified
from oneseat.contract.history import SeenLimit
from oneseat.contract.receipt import LimitReading, Wallet
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_writer

NOON = 1_795_176_000.0  # 2026-11-20T12:00:00Z


def reading(minute: int, used: float | None = 0.4, **fields: Any) -> LimitReading:
    given: dict[str, Any] = {
        "window": "five_hour",
        "status": "allowed",
        "resets_at": "2026-11-20T15:00:00.000Z",
        "source": "rate_limit_event",
        "read_at": f"2026-11-20T12:{minute:02}:00.000Z",
    }
    return LimitReading(**{**given, "used": used, **fields})


class History:
    """A ledger with one run on the plan and one on the simulator."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: LedgerWriter = make_writer(path)
        self._runs: set[str] = set()

    def say(self, *found: LimitReading, wallet: Wallet = "plan", overage: bool | None = False) -> None:
        if wallet not in self._runs:
            self._runs.add(wallet)
            self.writer.begin(wallet, make_request(), "claude-cli")
            self.writer.record(wallet, WalletVerified(wallet=wallet, evidence=()))
        for limit in found:
            self.writer.record(wallet, LimitSeen(limit=limit, overage=overage))

    def seen(self, now: float = NOON + 3600, *, simulated: bool = False) -> list[SeenLimit]:
        with LedgerReader(self.path) as reader:
            return reader.limits("claude-cli", now, simulated=simulated)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "runs.db")
    with closing(history.writer):
        yield history


def test_what_is_said_again_is_one_line_from_its_first_to_its_last_time(history: History) -> None:
    history.say(reading(1), reading(5), reading(9, resets_at="2026-11-20T15:00:01.500Z"))
    (row,) = history.seen()
    assert row == SeenLimit(
        "five_hour", "allowed", 0.4, NOON + 3 * 3600, "rate_limit_event", False, NOON + 60, NOON + 540
    )


def test_every_change_is_a_line(history: History) -> None:
    history.say(
        reading(1),
        reading(2, 0.5),
        reading(3, 0.5, status="allowed_warning"),
        reading(4, 0.5, status="allowed_warning", resets_at="2026-11-20T20:00:00.000Z"),
        reading(5, 0.5, status="allowed_warning", resets_at=None),
        reading(6, None, window="seven_day", resets_at=None),
    )
    history.say(reading(7, None, window="seven_day", resets_at=None), overage=True)
    assert [row.last_at - NOON for row in history.seen()] == [60.0 * minute for minute in range(1, 8)]


def test_an_old_report_that_is_repeated_does_not_become_new(history: History) -> None:
    history.say(reading(9), reading(1))
    (row,) = history.seen()
    assert row.last_at == NOON + 540


def test_what_the_simulator_says_is_kept_apart(history: History) -> None:
    history.say(reading(1, 0.1))
    history.say(reading(2, 0.9), wallet="simulator")
    assert [row.used for row in history.seen()] == [0.1]
    assert [row.used for row in history.seen(simulated=True)] == [0.9]
    assert history.writer.limits("claude-cli", NOON, simulated=True) == history.seen(simulated=True)
    assert history.writer.limits("codex-cli", NOON, simulated=True) == []


def test_a_report_whose_time_is_no_time_is_left_out(history: History) -> None:
    history.say(
        reading(1, read_at="now"), reading(1, read_at="2026-11-20T12:00:00"), reading(2, resets_at="soon")
    )
    (row,) = history.seen()
    assert row.resets_at is None


def test_what_is_older_than_any_window_is_not_looked_at(history: History) -> None:
    history.say(reading(1))
    assert history.seen(NOON + 7 * 86_400) != []
    assert history.seen(NOON + 9 * 86_400) == []


def test_what_is_said_outside_of_a_run_is_kept_too(history: History) -> None:
    history.writer.note_limits("claude-cli", [reading(1, source="get_usage")], simulated=False)
    (row,) = history.seen()
    assert (row.source, row.overage) == ("get_usage", None)


def test_looking_changes_nothing(history: History) -> None:
    history.say(reading(1))
    history.writer.close()
    before = history.path.read_bytes()
    assert len(history.seen()) == 1
    assert history.path.read_bytes() == before
    assert list(history.path.parent.iterdir()) == [history.path]
