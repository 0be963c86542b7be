"""What a day's runs have cost, and what is reserved for those going on: one sum for all processes."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.contract.budget import Cap, DayLimits, DaySpent
from oneseat.contract.receipt import Wallet
from oneseat.contract.request import ProjectUse
from oneseat.rules.budget import share
from oneseat.stores.ledger_writer import LedgerWriter

from .making import make_request, make_result, make_writer

NOON = "2026-11-20T12:00:00.000Z"
SPENDER = Path(__file__).with_name("spender.py")


@pytest.fixture
def writer(tmp_path: Path) -> LedgerWriter:
    return make_writer(tmp_path / "runs.db")


def begin(writer: LedgerWriter, run_id: str, project: str | None = None) -> None:
    use = ProjectUse(name=project) if project is not None else None
    writer.begin(run_id, msgspec.structs.replace(make_request(), project=use), "claude-cli")


def end(writer: LedgerWriter, run_id: str, usd: float | None, wallet: Wallet = "plan") -> None:
    result = make_result(run_id)
    receipt = msgspec.structs.replace(result.receipt, equivalent_cost_usd=usd, expected_wallet=wallet)
    writer.finish(msgspec.structs.replace(result, receipt=receipt))


def look(writer: LedgerWriter, **where: Any) -> tuple[float, float, float]:
    """What a new run is told: of all, of its project, and how much of that is reserved."""
    asked = {"run_id": "asking", "project": None, "wallet": "plan", "since": NOON, **where}
    before, cap = writer.reserve(**asked, share=lambda _: None)
    assert cap is None
    return before.all_usd, before.project_usd, before.reserved_usd


def hold(writer: LedgerWriter, run_id: str, usd: float, wallet: Wallet = "plan") -> None:
    writer.reserve(run_id, None, wallet, NOON, lambda _: Cap(usd))


def test_a_day_is_what_ended_in_it_and_what_is_reserved(writer: LedgerWriter) -> None:
    assert look(writer) == (0, 0, 0)
    for run_id, project in (("a", None), ("b", "shop"), ("c", "shop"), ("d", None)):
        begin(writer, run_id, project)
    hold(writer, "c", 2.0)
    hold(writer, "d", 4.0)
    end(writer, "a", 0.25)
    end(writer, "b", 0.5)
    assert look(writer, project="shop") == (6.75, 2.5, 6.0)
    # What a run really cost takes the place of what was reserved for it.
    end(writer, "c", 1.0)
    assert look(writer, project="shop") == (5.75, 1.5, 4.0)


def test_what_nobody_knows_the_cost_of_counts_with_all_it_was_allowed(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    end(writer, "a", None)
    assert look(writer) == (2.0, 0, 0)


def test_a_run_that_sent_nothing_gives_its_share_back(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    end(writer, "a", 0.0)
    assert look(writer) == (0, 0, 0)


def test_a_run_of_yesterday_does_not_count_and_one_that_goes_on_does(writer: LedgerWriter) -> None:
    begin(writer, "a")
    begin(writer, "b")
    hold(writer, "b", 2.0)
    end(writer, "a", 1.0)
    assert look(writer, since="2026-11-21T00:00:00.000Z") == (2.0, 0, 2.0)


def test_a_run_does_not_count_against_itself(writer: LedgerWriter) -> None:
    begin(writer, "a")
    hold(writer, "a", 2.0)
    assert look(writer, run_id="a") == (0, 0, 0)


def test_simulated_runs_and_real_ones_have_days_of_their_own(writer: LedgerWriter) -> None:
    begin(writer, "a")
    begin(writer, "b")
    hold(writer, "a", 2.0, "simulator")
    end(writer, "b", 1.0)
    assert look(writer) == (1.0, 0, 0)
    assert look(writer, wallet="simulator") == (2.0, 0, 2.0)


def test_of_eight_processes_only_so_many_get_a_share_as_there_are(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    command = [sys.executable, str(SPENDER), str(path)]
    spenders = [
        subprocess.Popen(
            [*command, f"run-{number}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(8)
    ]
    for spender in spenders:
        assert spender.stdout is not None
        assert spender.stdout.readline() == "ready\n"
    for spender in spenders:
        assert spender.stdin is not None
        spender.stdin.write("\n")
        spender.stdin.flush()
    got = [spender.communicate(timeout=60)[0].split() for spender in spenders]
    # Each asks four times for 0.25 of a day of 3: twelve of thirty-two get it, and what is left is nothing.
    shares = [float(word) for words in got for word in words if word != "none"]
    assert shares == [0.25] * 12
    assert sum(words.count("none") for words in got) == 20
    writer = make_writer(path)
    assert look(writer, since="2000-01-01T00:00:00.000Z") == (3.0, 0, 0)
    refused = share(0.25, DayLimits(all_usd=3.0), DaySpent(all_usd=3.0, project_usd=0, reserved_usd=0))
    assert refused is None
    writer.close()


def test_the_decision_is_made_while_nobody_else_can_make_one(tmp_path: Path) -> None:
    first, second = make_writer(tmp_path / "runs.db"), make_writer(tmp_path / "runs.db", busy_timeout_s=0.01)
    begin(first, "a")
    begin(first, "b")
    codes: list[str] = []

    def deciding(before: DaySpent) -> Cap:
        try:
            second.reserve("b", None, "plan", NOON, lambda _: Cap(1.0))
        except Exception as error:  # noqa: BLE001 - whatever it is, its code is what is looked at
            codes.append(error.info.code)  # type: ignore[attr-defined]
        return Cap(1.0)

    first.reserve("a", None, "plan", NOON, deciding)
    assert codes == ["usage.ledger_busy"]
    decide = partial(share, 1.0, DayLimits(all_usd=1.0))
    assert second.reserve("b", None, "plan", NOON, decide)[1] is None
    first.close()
    second.close()
