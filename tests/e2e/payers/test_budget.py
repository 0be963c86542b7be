"""Budgets through the real command and the real CLI on the simulator: what is refused, what is stopped, what is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import oneseat
from oneseat.contract.errors import UsageError
from oneseat.contract.receipt import TokenUsage
from oneseat.rules.budgets.meter import cost
from oneseat.stores.prices import PriceTable
from oneseat.testing import Answer, Simulator, Text, Thinking, ToolUse
from oneseat.testing.replies import Usage
from tests.e2e.driving import Done, Seat, live_in
from tests.e2e.warming import ask, waiting

#: Read before the tests take the caller's environment away.
OLD_CLAUDE = os.environ.get("ONESEAT_TEST_OLD_CLAUDE")
BASH = ToolUse("Bash", {"command": "echo hi", "description": "Print a word"})
#: What the simulator's default usage costs besides its output, with the default model of 2.1.329.
INPUT_USD = (10 * 2 + 100 * 2.5 + 1000 * 0.1) / 1_000_000


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Iterator[Seat]:
    seat = Seat(tmp_path, claude_path, simulator)
    yield seat
    seat.assert_nothing_left()


@pytest.fixture(params=["newest", "oldest"])
def either(request: pytest.FixtureRequest, seat: Seat) -> Seat:
    """A seat with the newest and with the oldest CLI: where what the CLI counts itself decides, or which of its messages come."""
    if request.param == "oldest":
        if OLD_CLAUDE is None:
            pytest.fail("ONESEAT_TEST_OLD_CLAUDE is not set; run the tests with `make test`")
        seat.env["ONESEAT_CLAUDE_PATH"] = OLD_CLAUDE
    return seat


Play = Callable[..., None]


@pytest.fixture
def play(seat: Seat, simulator: Simulator) -> Play:
    """Has the simulator give these answers."""

    def play(*answers: Answer) -> None:
        simulator.script("mine", answers)
        seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("mine")

    return play


def settings(seat: Seat, text: str) -> None:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def ended(done: Done) -> tuple[int, str]:
    return done.code, done.result["error"]["code"]


def says(text: str = "ok", **usage: int) -> Answer:
    return Answer(content=(Text(text),), usage=Usage(**usage))


def calls(**usage: int) -> Answer:
    return Answer(content=(BASH,), usage=Usage(**usage))


def test_a_long_answer_is_interrupted_in_the_middle(either: Seat, play: Play, simulator: Simulator) -> None:
    text = "".join(f"{number:09} " for number in range(3000))
    # 100 pieces, one every 0.3 s: nobody can have the whole of it in less than 30 s.
    play(Answer(content=(Text(text, delta_chars=300),), pace_s=0.3))
    done = either.run("run", "count", "--max-budget-usd", "0.005", "--json")
    result, receipt = done.result, done.result["receipt"]
    assert ended(done) == (4, "budget.reached")
    assert receipt["duration_ms"] < 20_000
    assert text.startswith(result["text"])
    assert 300 <= len(result["text"]) <= 6000
    assert len(simulator.messages()) == 1
    assert (result["status"], receipt["verdict"], receipt["cost_usd"]) == ("failed", "unverified", 0.0)
    assert receipt["cost_source"] == "price_table"
    assert 0.005 <= receipt["equivalent_cost_usd"] < 0.009
    assert receipt["usage"]["output_tokens"] is None
    (logged,) = either.runs()
    assert (logged["error_code"], logged["equivalent_cost_usd"]) == (
        "budget.reached",
        receipt["equivalent_cost_usd"],
    )
    shown = either.run("show", result["run_id"])
    assert "budget.reached" in shown.stdout
    assert shown.code == 0


def test_what_is_thought_and_what_goes_into_a_tool_counts_as_it_comes(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    thoughts = Thinking("hmm " * 4000)
    play(Answer(content=(thoughts, Text("late")), pace_s=0.005))
    done = seat.run("run", "think", "--max-budget-usd", "0.005", "--json")
    assert ended(done) == (4, "budget.reached")
    assert (done.result["text"], len(simulator.messages())) == ("", 1)


def test_a_large_tool_input_never_reaches_its_tool(seat: Seat, play: Play, tmp_path: Path) -> None:
    target = tmp_path / "x.txt"
    play(Answer(content=(ToolUse("Write", {"file_path": str(target), "content": "word " * 6000}),)))
    done = seat.run(
        "run", "write", "--tools", "edit", "--add-dir", str(tmp_path), "--max-budget-usd", "0.01", "--json"
    )
    assert ended(done) == (4, "budget.reached")


def test_what_tool_rounds_cost_adds_up_and_no_request_follows_the_one_that_reached_it(
    either: Seat, play: Play, simulator: Simulator
) -> None:
    play(calls(output_tokens=1000))
    arguments = ("--tools", "Bash", "--permission-mode", "dontAsk")
    done = either.run("run", "go", *arguments, "--max-budget-usd", "0.025", "--json")
    assert ended(done) == (4, "budget.reached")
    assert len(simulator.messages()) in {2, 3}
    assert done.result["receipt"]["equivalent_cost_usd"] >= 0.025


def test_the_turns_are_counted_and_the_last_one_is_the_last(
    either: Seat, play: Play, simulator: Simulator
) -> None:
    play(calls())
    done = either.run("run", "go", "--tools", "Bash", "--max-turns", "2", "--json")
    assert ended(done) == (4, "budget.turns_reached")
    assert len(simulator.messages()) == 2
    assert done.result["receipt"]["cost_source"] == "cli"
    assert "--max-turns" in done.result["error"]["hint"]


def test_a_run_within_its_bounds_is_as_without_them(seat: Seat, simulator: Simulator) -> None:
    done = seat.run("run", "go", "--max-budget-usd", "1", "--max-turns", "1", "--json")
    assert (done.code, done.result["text"]) == (0, "ok from the simulator")
    assert done.result["receipt"]["cost_source"] == "cli"


def test_an_answer_that_cost_more_than_it_may_is_kept_and_said_to_have(seat: Seat, play: Play) -> None:
    play(says("dear", output_tokens=5000))
    done = seat.run("run", "go", "--max-budget-usd", "0.01", "--json")
    assert ended(done) == (4, "budget.reached")
    assert done.result["text"] == "dear"
    assert done.result["receipt"]["equivalent_cost_usd"] == pytest.approx(0.05 + INPUT_USD)
    assert done.result["receipt"]["cost_source"] == "cli"


def test_the_turn_that_mends_an_answer_is_paid_from_the_same_budget(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    schema = seat.cwd / "schema.json"
    schema.write_text(
        json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    )
    play(says("no structure", output_tokens=300))
    unbounded = seat.run("run", "go", "--schema", str(schema), "--json")
    assert ended(unbounded) == (8, "incomplete.schema_unmet")
    all_of_it, each = len(simulator.messages()), 0.003 + INPUT_USD
    simulator.clear()
    done = seat.run(
        "run", "go", "--schema", str(schema), "--max-budget-usd", f"{each * (all_of_it - 1.5):.6f}", "--json"
    )
    assert ended(done) == (4, "budget.reached")
    assert len(simulator.messages()) == all_of_it - 1
    simulator.clear()
    done = seat.run("run", "go", "--schema", str(schema), "--max-turns", str(all_of_it // 2), "--json")
    assert ended(done) == (4, "budget.turns_reached")
    assert len(simulator.messages()) == all_of_it // 2


def test_what_a_subagent_uses_counts(either: Seat, play: Play, simulator: Simulator) -> None:
    call = ToolUse("Agent", {"prompt": "do it", "description": "Do it", "subagent_type": "general-purpose"})
    play(
        Answer(content=(call,)),
        Answer(content=(Thinking("hm "), Text("word " * 200)), usage=Usage(output_tokens=6000)),
        Answer(content=(Text("the end"),)),
    )
    arguments = ("run", "go", "--tools", "Task", "--permission-mode", "dontAsk", "--json")
    unbounded = either.run(*arguments)
    assert (unbounded.code, unbounded.result["text"]) == (0, "the end")
    assert len(simulator.messages()) == 3
    simulator.clear()
    # The budget of the day reaches the CLI as well, which alone sees what a subagent uses.
    settings(either, f"[budget]\nday_usd = {0.05 + unbounded.result['receipt']['equivalent_cost_usd']}\n")
    done = either.run(*arguments)
    assert ended(done) == (4, "budget.reached")
    assert len(simulator.messages()) == 2


def test_a_prompt_that_costs_too_much_is_not_sent(seat: Seat, simulator: Simulator) -> None:
    done = seat.run("run", "word " * 6000, "--max-budget-usd", "0.01", "--json")
    assert ended(done) == (3, "budget.input_too_large")
    receipt = done.result["receipt"]
    assert (done.result["status"], receipt["verdict"], receipt["cost_usd"]) == ("refused", "nothing_sent", 0)
    assert simulator.messages() == []


def test_a_model_that_nobody_knows_the_price_of_is_refused_under_a_budget_only(
    seat: Seat, simulator: Simulator
) -> None:
    done = seat.run("run", "go", "--model", "claude-sonnet-99", "--max-budget-usd", "1", "--json")
    assert ended(done) == (3, "budget.unknown_price")
    assert simulator.messages() == []
    assert seat.run("run", "go", "--model", "claude-sonnet-99", "--json").code == 0


def test_a_day_that_is_used_up_refuses_the_next_run(seat: Seat, play: Play, simulator: Simulator) -> None:
    settings(seat, "[budget]\nday_usd = 0.02\n")
    play(says(output_tokens=1500))
    assert seat.run("run", "first", "--json").code == 0
    second = seat.run("run", "second", "--json")
    assert ended(second) == (4, "budget.reached")
    assert "what was left of the day" in second.result["error"]["message"]
    third = seat.run("run", "third", "--json")
    assert ended(third) == (3, "budget.day_used_up")
    assert third.result["error"]["whose_turn"] == "wait"
    assert len(simulator.messages()) == 2


def test_the_day_of_a_project_is_its_own(seat: Seat, play: Play) -> None:
    shop = f'[projects.shop]\ndirectory = "{seat.cwd}"\nday_budget_usd = 0.01\n'
    settings(seat, shop + f'[projects.garden]\ndirectory = "{seat.cwd}"\nmax_turns = 1\ntools = "Bash"\n')
    play(says(output_tokens=1500))
    assert ended(seat.run("run", "a", "--project", "shop", "--json")) == (4, "budget.reached")
    refused = seat.run("run", "b", "--project", "shop", "--json")
    assert ended(refused) == (3, "budget.day_used_up")
    assert "`shop`" in refused.result["error"]["message"]
    assert seat.run("run", "c", "--json").code == 0
    assert seat.run("run", "d", "--project", "garden", "--json").code == 0
    play(calls())
    bounded = seat.run("run", "e", "--project", "garden", "--new-session", "--json")
    assert ended(bounded) == (4, "budget.turns_reached")


def test_what_a_run_going_on_may_still_cost_is_not_given_away(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    settings(seat, "[budget]\nday_usd = 0.05\n")
    play(Answer(content=(Text("one two"),), fault="hang", fault_after=1), says())
    with seat.start("run", "first", "--max-budget-usd", "0.05", "--stream-json") as first:
        first.read_until("text_delta")
        second = seat.run("run", "second", "--json")
        assert ended(second) == (3, "budget.day_used_up")
        assert "reserved by active runs" in second.result["error"]["message"]
        first.signal()
        assert first.finish().code == 130
    assert seat.run("run", "third", "--json").code == 0
    assert len(simulator.messages()) == 2


def test_runs_without_a_budget_of_their_own_go_on_side_by_side(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    settings(seat, "[budget]\nday_usd = 0.05\n")
    play(Answer(content=(Text("one two"),), fault="hang", fault_after=1), says())
    with seat.start("run", "first", "--stream-json") as first:
        first.read_until("text_delta")
        (budget,) = seat.run("limits", "--json").result["budgets"]
        assert (budget["held_usd"], budget["used_usd"]) == (0.025, 0.025)
        assert seat.run("run", "second", "--json").code == 0
        first.signal()
        assert first.finish().code == 130
    assert len(simulator.messages()) == 2


def test_a_run_that_is_stopped_before_its_answer_counts_with_what_it_sent(
    seat: Seat, simulator: Simulator
) -> None:
    settings(seat, "[budget]\nday_usd = 20\n")
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang")
    with seat.start("run", "word " * 600, "--json") as stopped:
        simulator.wait_for_messages(1)
        stopped.signal()
        receipt = stopped.finish().result["receipt"]
    assert receipt["equivalent_cost_usd"] is None
    # It had reserved half of the day; a thousand tokens are $0.002.
    (budget,) = seat.run("limits", "--json").result["budgets"]
    assert (budget["used_usd"], budget["held_usd"]) == (pytest.approx(0.002), 0)


def test_a_run_that_has_used_its_part_gets_more_as_long_as_there_is_any(seat: Seat, play: Play) -> None:
    settings(seat, "[budget]\nmonth_usd = 0.04\n")
    # A cent an answer: the third request is over the first half, which is all it was given at first.
    play(*(calls(output_tokens=1000),) * 2, says(output_tokens=1000), calls(output_tokens=1500), says())
    done = seat.run("run", "three", "--tools", "Bash", "--json")
    assert (done.code, done.result["receipt"]["equivalent_cost_usd"]) == (0, pytest.approx(0.03, abs=0.002))
    stopped = seat.run("run", "over", "--tools", "Bash", "--json")
    assert ended(stopped) == (4, "budget.reached")
    assert "what was left of the month's budget" in stopped.result["error"]["message"]
    refused = seat.run("run", "none", "--json")
    assert ended(refused) == (3, "budget.month_used_up")
    assert "`budget.month_usd`" in refused.result["error"]["hint"]


def test_a_price_of_the_owners_own_makes_an_unknown_model_known(seat: Seat, play: Play) -> None:
    play(says(output_tokens=1000))
    settings(seat, "[budget]\nallow_unpriced = true\n")
    unbounded = seat.run("run", "go", "--model", "claude-sonnet-99", "--max-budget-usd", "1", "--json")
    assert unbounded.code == 0
    settings(seat, '[prices."claude-sonnet-99"]\ninput = 90000\noutput = 1\n')
    done = seat.run("run", "go" * 90, "--model", "claude-sonnet-99", "--max-budget-usd", "1", "--json")
    assert ended(done) == (3, "budget.input_too_large")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--max-budget-usd", value) for value in ("0", "-1", "nan", "inf", "much")),
        *(("--max-turns", value) for value in ("0", "-1", "1.5", "many")),
    ],
)
def test_a_bound_that_cannot_be_one_is_refused_in_words(seat: Seat, option: str, value: str) -> None:
    done = seat.run("run", "go", f"{option}={value}")
    assert done.code == 2
    assert f"`{value}`" in done.stderr
    assert not seat.ledger.exists()


@pytest.mark.parametrize(
    "options",
    [
        *({"max_budget_usd": value} for value in (0, -1, float("nan"), float("inf"), True)),
        *({"max_turns": value} for value in (0, -1, True)),
    ],
)
def test_the_library_refuses_the_same(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        oneseat.make_request("go", **options)
    assert caught.value.info.code == "usage.bad_budget"


async def test_the_price_table_says_what_the_official_cli_says(
    seat: Seat, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = TokenUsage(1_000, 20_000, 3_000, 40_000, 5_000)
    play(
        says(
            input_tokens=1_000,
            output_tokens=20_000,
            cache_read_tokens=3_000,
            cache_write_5m_tokens=40_000,
            cache_write_1h_tokens=5_000,
        )
    )
    settings(seat, "[pool]\nruns_per_process = 9\n")
    live_in(seat, monkeypatch)
    async with oneseat.connect(warm=1) as app:
        for model in ("sonnet", "opus", "haiku", "fable"):
            await waiting(app)  # one process of the CLI after the other would be four
            receipt = (await ask(app, "go", model=model)).receipt
            assert model in str(receipt.model)
            price = PriceTable().of(str(receipt.model))
            assert price is not None
            assert receipt.equivalent_cost_usd == pytest.approx(cost(usage, price))
