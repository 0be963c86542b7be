"""Budgets on a machine whose clock was wrong, or is: nothing spent today is freed, and nothing counts for years."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from oneseat.contract.budgets import Budget, Since, Spent
from oneseat.contract.routing import Candidate, Outcome
from oneseat.rules.budgets.allocation import used_up
from oneseat.stores.ledger.writer import LedgerWriter

from .making import OWNER, make_request, make_result, unredacted

DAY, MONTH = Budget(10.0, "day"), Budget(100.0, "month")
AHEAD = "2031-05-05T10:00:00.000Z"
#: Moments of four days, two of them in the next month.
DAYS = ("2026-11-28", "2026-11-29", "2026-12-01", "2026-12-02")
NOVEMBER, DECEMBER = "2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self) -> None:
        self.now = ""

    def monotonic(self) -> float:
        return 0.0

    def utc_iso(self) -> str:
        return self.now


class Machine:
    """A machine whose clock can be set, and its ledger."""

    def __init__(self, writer: LedgerWriter, clock: SetClock) -> None:
        self.writer, self._clock = writer, clock
        self._runs = 0

    def run(self, begun: str, ended: str | None = None, usd: float = 4.0, minutes: int = 1) -> None:
        """A run that took so long, on a clock that showed these moments."""
        self._clock.now = begun
        self._runs += 1
        run_id = f"run{self._runs}"
        self.writer.begin(run_id, make_request(), "claude-cli")
        self._clock.now = ended or begun
        result = make_result(run_id)
        receipt = msgspec.structs.replace(
            result.receipt, equivalent_cost_usd=usd, duration_ms=minutes * 60_000, expected_wallet="plan"
        )
        self.writer.finish(msgspec.structs.replace(result, receipt=receipt))

    def look(self, day: int, bound: Budget = DAY) -> Spent:
        """What a run of this day is told."""
        since = Since(noon(day, "00"), NOVEMBER if day < 2 else DECEMBER, noon(day, "24"))
        (found,), _ = self.writer.reserve("asking", "plan", (bound,), since, lambda _: None)
        return found


def noon(day: int, hour: str = "12") -> str:
    return f"{DAYS[day]}T{hour}:00:00.000Z"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    clock = SetClock()
    with closing(LedgerWriter(tmp_path / "runs.db", redact=unredacted, clock=clock, owner=OWNER)) as writer:
        yield Machine(writer, clock)


def test_with_a_clock_that_is_right_nothing_is_misdated(machine: Machine) -> None:
    for day in (0, 1, 1):
        machine.run(noon(day))
    assert machine.look(1) == Spent(DAY, 8.0, 0.0)
    assert machine.look(1, MONTH) == Spent(MONTH, 12.0, 0.0)
    assert machine.look(2, MONTH) == Spent(MONTH, 0.0, 0.0)


def test_what_was_spent_on_a_clock_that_was_ahead_counts_today_and_says_so(machine: Machine) -> None:
    machine.run(noon(0))
    machine.run(AHEAD)
    machine.run(noon(1), usd=1.0)
    assert machine.look(1) == Spent(DAY, 5.0, 0.0, 4.0, AHEAD)
    assert machine.look(1, MONTH) == Spent(MONTH, 9.0, 0.0, 4.0, AHEAD)


def test_it_counts_no_more_once_a_run_shows_that_its_day_is_over(machine: Machine) -> None:
    machine.run(AHEAD)
    machine.run(noon(0), usd=1.0)  # a refused one would do
    assert machine.look(0).usd == 5.0
    assert machine.look(1) == Spent(DAY, 0.0, 0.0)
    assert machine.look(1, MONTH).usd == 5.0
    assert machine.look(2, MONTH) == Spent(MONTH, 0.0, 0.0)


def test_a_long_run_may_have_ended_later_than_another_one_began(machine: Machine) -> None:
    machine.run(AHEAD, minutes=20 * 60)
    machine.run(noon(0), usd=1.0)
    assert machine.look(1).usd == 4.0
    assert machine.look(2).usd == 0.0


def test_a_run_whose_end_alone_is_ahead_counts_too(machine: Machine) -> None:
    machine.run(noon(0), AHEAD)
    assert machine.look(0) == Spent(DAY, 4.0, 0.0, 4.0, AHEAD)


@pytest.mark.parametrize("wrong", ["1970-01-01T00:00:10.000Z", "2026-11-28T12:00:00.000Z"])
def test_what_was_spent_on_a_clock_that_was_behind_counts_today(machine: Machine, wrong: str) -> None:
    machine.run(noon(1), usd=1.0)
    machine.run(wrong)
    machine.run(noon(1), usd=2.0)
    assert machine.look(1) == Spent(DAY, 7.0, 0.0, 4.0, wrong)
    assert machine.look(2).usd == 0.0


def test_a_clock_that_is_behind_frees_nothing_of_today(machine: Machine) -> None:
    machine.run(noon(2))
    machine.run(noon(2))
    assert machine.look(1) == Spent(DAY, 8.0, 0.0, 8.0, noon(2))


def test_a_clock_that_was_set_back_during_a_run_frees_nothing(machine: Machine) -> None:
    machine.run(noon(1), noon(0))
    assert machine.look(1).usd == 4.0


def test_failures_of_a_clock_that_was_ahead_keep_no_circuit_open(machine: Machine) -> None:
    now, candidate = 1_800_000_000.0, Candidate(provider="claude-cli")
    for _ in range(3):
        machine.writer.note_outcome(candidate, Outcome(now + 1e8, "provider.overloaded"))
    assert machine.writer.outcomes(candidate, now - 3600) == []
    machine.writer.note_outcome(candidate, Outcome(now, None))
    assert [each.at for each in machine.writer.outcomes(candidate, now - 3600)] == [now]


def test_a_refusal_says_what_was_found_and_how_to_get_out(machine: Machine) -> None:
    machine.run(AHEAD, usd=10.0)
    error = used_up([DAY], [machine.look(0)])
    assert error.code == "budget.day_used_up"
    assert f"$10.00 of it are of runs with another date, such as `{AHEAD}`" in error.message
    assert "`date`" in (error.hint or "")
    assert "until this day ends" in (error.hint or "")
    assert "`budget.day_usd`" in (error.hint or "")
