"""What runs have cost under budgets, and what is reserved for those going on: one sum for all processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.contract.budgets import Budget, Reservation, Since, Spent
from oneseat.contract.receipt import Wallet
from oneseat.contract.request import ProjectUse
from oneseat.rules.budgets.allocation import share
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_result, make_writer
from .spender import CAP_USD

NOON = Since(day="2026-11-20T12:00:00.000Z", month="2026-11-01T00:00:00.000Z")
EVER = Since(day="2000-01-01T00:00:00.000Z", month="2000-01-01T00:00:00.000Z")
SPENDER = Path(__file__).with_name("spender.py")
DAY = Budget(10.0, "day")


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LedgerWriter]:
    with closing(make_writer(tmp_path / "runs.db")) as writer:
        yield writer


def begin(writer: LedgerWriter, run_id: str, project: str | None = None, **more: Any) -> None:
    use = ProjectUse(name=project) if project is not None else None
    writer.begin(run_id, msgspec.structs.replace(make_request(), project=use, **more), "claude-cli")


def end(writer: LedgerWriter, run_id: str, usd: float | None, wallet: Wallet = "plan") -> None:
    result = make_result(run_id)
    receipt = msgspec.structs.replace(result.receipt, equivalent_cost_usd=usd, expected_wallet=wallet)
    writer.finish(msgspec.structs.replace(result, receipt=receipt))


def look(writer: LedgerWriter, *bounds: Budget, **where: Any) -> list[tuple[float, float]]:
    """What a new run is told of each bound: what others have cost, and how much of that is reserved."""
    asked = {"run_id": "asking", "wallet": "plan", "since": NOON, **where}
    before, cap = writer.reserve(bounds=bounds or (DAY,), share=lambda _: None, **asked)
    assert cap is None
    return [(each.usd, each.held_usd) for each in before]


def hold(
    writer: LedgerWriter, run_id: str, usd: float, wallet: Wallet = "plan", used_usd: float = 0.0
) -> None:
    writer.reserve(run_id, wallet, (DAY,), NOON, lambda _: Reservation(usd, usd, DAY, used_usd))


def of_project(name: str) -> Budget:
    return Budget(10.0, "day", "project", name)


def test_a_day_is_what_ended_in_it_and_what_is_reserved(writer: LedgerWriter) -> None:
    assert look(writer) == [(0, 0)]
    for run_id, project in (("a", None), ("b", "shop"), ("c", "shop"), ("d", None)):
        begin(writer, run_id, project)
    hold(writer, "c", 2.0)
    hold(writer, "d", 4.0)
    end(writer, "a", 0.25)
    end(writer, "b", 0.5)
    assert look(writer, DAY, of_project("shop")) == [(6.75, 6.0), (2.5, 2.0)]
    # What a run really cost takes the place of what was reserved for it.
    end(writer, "c", 1.0)
    assert look(writer, DAY, of_project("shop"), of_project("garden")) == [(5.75, 4.0), (1.5, 0), (0, 0)]


def test_each_scope_and_period_has_a_sum_of_its_own(writer: LedgerWriter) -> None:
    begin(writer, "a", role="bulk", client="acme")
    writer.routed("a", "anthropic", "api_key", "work", 0.0)
    begin(writer, "b", "shop", role="bulk")
    writer.routed("b", "openai", "api_key", "home", 0.0)
    begin(writer, "c", client="acme")
    for run_id, usd in (("a", 1.0), ("b", 2.0), ("c", 4.0)):
        end(writer, run_id, usd)
    begin(writer, "d", role="bulk")
    writer.routed("d", "anthropic", "api_key", "work", 0.0)
    hold(writer, "d", 8.0)
    scopes = (
        (Budget(9, "month"), (15, 8)),
        (Budget(9, "month", "key", "work"), (9, 8)),
        (Budget(9, "month", "key", "home"), (2, 0)),
        (Budget(9, "month", "role", "bulk"), (11, 8)),
        (Budget(9, "month", "client", "acme"), (5, 0)),
        (Budget(9, "month", "project", "shop"), (2, 0)),
        (Budget(9, "day"), (8, 8)),
        (Budget(9, "day", "role", "bulk"), (8, 8)),
        (Budget(9, "day", "client", "acme"), (0, 0)),
    )
    # The day began after the first three had ended: they are in the month, and the one that goes on is in both.
    tomorrow = Since(day="2026-11-21T00:00:00.000Z", month=NOON.month)
    found = look(writer, *(bound for bound, _ in scopes), since=tomorrow)
    assert found == [sums for _, sums in scopes]


def test_what_a_run_has_used_by_a_key_counts_for_that_key_wherever_it_goes(writer: LedgerWriter) -> None:
    begin(writer, "a", role="bulk")
    keys = [Budget(9, "day", "key", name) for name in ("work", "home")]
    bounds = (*keys, Budget(9, "day", "role", "bulk"), DAY)
    writer.routed("a", "anthropic", "api_key", "work", 0.0)
    hold(writer, "a", 2.0)
    writer.routed("a", "openai", "api_key", "home", 0.5)
    assert look(writer, *bounds) == [(0.5, 0), (0, 0), (0.5, 0), (0.5, 0)]
    hold(writer, "a", 3.0, used_usd=0.5)
    assert look(writer, *bounds) == [(0.5, 0), (2.5, 2.5), (3.0, 2.5), (3.0, 2.5)]
    # The run knows itself what it has used.
    assert look(writer, *bounds, run_id="a") == [(0, 0)] * 4
    writer.routed("a", "anthropic", "api_key", "work", 2.0)
    hold(writer, "a", 3.0, used_usd=2.0)
    assert look(writer, *keys) == [(1.5, 1.0), (1.5, 0)]
    writer.routed("a", "claude-cli", "plan", None, 2.75)
    end(writer, "a", 4.0)
    assert look(writer, *bounds) == [(1.25, 0), (1.5, 0), (4.0, 0), (4.0, 0)]


def test_what_is_asked_for_again_takes_the_place_of_what_was_held(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    hold(writer, "a", 3.0)
    assert look(writer) == [(3.0, 3.0)]


def test_what_nobody_knows_the_cost_of_counts_with_all_it_was_allowed(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    end(writer, "a", None)
    assert look(writer) == [(2.0, 0)]


def test_a_run_that_sent_nothing_gives_its_share_back(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    end(writer, "a", 0.0)
    assert look(writer) == [(0, 0)]


def test_a_run_of_yesterday_does_not_count_and_one_that_goes_on_does(writer: LedgerWriter) -> None:
    begin(writer, "a")
    begin(writer, "b")
    hold(writer, "b", 2.0)
    end(writer, "a", 1.0)
    assert look(writer, since=Since(day="2026-11-21T00:00:00.000Z", month=NOON.month)) == [(2.0, 2.0)]


def test_a_run_does_not_count_against_itself(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    assert look(writer, run_id="a") == [(0, 0)]


def test_simulated_runs_and_real_ones_have_days_of_their_own(writer: LedgerWriter) -> None:
    begin(writer, "a")
    begin(writer, "b")
    hold(writer, "a", 2.0, "simulator")
    end(writer, "b", 1.0)
    assert look(writer) == [(1.0, 0)]
    assert look(writer, wallet="simulator") == [(2.0, 2.0)]


def test_a_month_is_added_up_from_its_index_alone(writer: LedgerWriter) -> None:
    """The rows hold whole answers: reading them for every run would take as long as all answers of the month."""
    begin(writer, "a")
    db = writer._opened()
    plans: list[str] = []
    db.set_trace_callback(lambda statement: plans.append(statement) if "UNION ALL" in statement else None)
    look(writer, Budget(9, "month", "key", "work"), DAY)
    db.set_trace_callback(None)
    (query,) = set(plans)
    read = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}") if " runs " in row[3]]
    assert [line for line in read if "COVERING INDEX runs_by_end" not in line and "(id=?)" not in line] == []
    assert len(read) >= 2


def spent_by(path: Path, processes: int, paid_from: str) -> list[list[str]]:
    """What each of so many processes was given, all begun at one moment."""
    command = [sys.executable, str(SPENDER), str(path)]
    spenders = [
        subprocess.Popen(
            [*command, f"run-{number}", paid_from], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(processes)
    ]
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("\n")
        spender.stdin.flush()
    return [spender.communicate(timeout=60)[0].split() for spender in spenders]


def test_of_eight_processes_only_so_many_get_a_share_as_there_are(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    got = spent_by(path, 8, "plan")
    # Each asks four times for 0.25 of a day of 3: twelve of thirty-two get it, and what is left is nothing.
    shares = [float(word) for words in got for word in words if word != "none"]
    assert shares == [0.25] * 12
    assert sum(words.count("none") for words in got) == 20
    writer = make_writer(path)
    assert look(writer, since=EVER) == [(3.0, 0)]
    assert share([DAY], 0.0, None, [Spent(Budget(3.0, "day"), 3.0, 0.0)]) is None
    writer.close()


def test_sixteen_processes_never_spend_more_with_a_key_than_its_month_allows(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    got = spent_by(path, 16, "key")
    spent = sum(float(word) for words in got for word in words if word != "none")
    writer = make_writer(path)
    key = Budget(CAP_USD, "month", "key", "work")
    ((total, held),) = look(writer, key, since=EVER)
    assert total == pytest.approx(spent)
    assert held == 0
    # To the cent: not a hundredth more, and none is left lying that anybody asked for.
    assert CAP_USD - 0.01 < total <= CAP_USD
    writer.close()


def test_the_decision_is_made_while_nobody_else_can_make_one(tmp_path: Path) -> None:
    first, second = make_writer(tmp_path / "runs.db"), make_writer(tmp_path / "runs.db", busy_timeout_s=0.01)
    begin(first, "a")
    begin(first, "b")
    codes: list[str] = []
    one = Budget(1.0, "day")

    def deciding(before: tuple[Spent, ...]) -> Reservation:
        try:
            second.reserve("b", "plan", (one,), NOON, lambda _: Reservation(1.0, 1.0, one))
        except Exception as error:  # noqa: BLE001 - whatever it is, its code is what is looked at
            codes.append(error.info.code)  # type: ignore[attr-defined]
        return Reservation(1.0, 1.0, one)

    first.reserve("a", "plan", (one,), NOON, deciding)
    assert codes == ["usage.ledger_busy"]
    assert second.reserve("b", "plan", (one,), NOON, partial(share, (one,), 0.0, None))[1] is None
    first.close()
    second.close()
