"""Budgets of API keys through the real command and the vendors' SDKs on the simulator: never a cent more than allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import oneseat
from oneseat.testing import Answer, Failure, Simulator, Text
from oneseat.testing.replies import ToolUse, Usage
from tests.e2e.driving import SDKS, Done, Seat

KEYS = """
[keys.work]
provider = "anthropic"
{work}
[keys.gpt]
provider = "openai"
[keys.gem]
provider = "gemini"
[keys.local]
provider = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
charges = false
"""
#: $3 and $15 a million: the simulator's default usage costs so much besides its output.
MODEL = "claude-sonnet-4-6"
INPUT_USD = (10 * 3 + 100 * 3.75 + 1000 * 0.3) / 1_000_000

Play = Callable[..., None]


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator)
    seat.loads = SDKS
    return seat


@pytest.fixture
def play(seat: Seat, simulator: Simulator) -> Play:
    def play(*answers: Answer | Failure) -> None:
        simulator.script("mine", answers)
        seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("mine")

    return play


def settings(seat: Seat, work: str = "", more: str = "") -> None:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(KEYS.format(work=work) + more, "utf-8")


def says(text: str = "ok", **usage: int) -> Answer:
    return Answer(content=(Text(text),), usage=Usage(**usage))


def go(seat: Seat, *more: str, key: str = "work", model: str = MODEL) -> Done:
    return seat.run("run", "say ok", "--key", key, "--model", model, "--json", *more)


def cost(ended: Done) -> float:
    """What it would have been charged: a simulated run is charged nothing."""
    usd = ended.result["receipt"]["equivalent_cost_usd"]
    assert isinstance(usd, float)
    return usd


def code_of(ended: Done) -> tuple[int, str]:
    return ended.code, ended.result["error"]["code"]


def bodies(simulator: Simulator) -> list[Any]:
    return [request.body for request in simulator.messages()]


def test_a_run_on_a_key_costs_what_the_table_says_and_its_day_ends_to_the_cent(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    settings(seat, "day_budget_usd = 0.05")
    play(says(output_tokens=1000))
    first = go(seat)
    receipt = first.result["receipt"]
    assert (first.code, receipt["cost_source"]) == (0, "price_table")
    assert cost(first) == pytest.approx(0.015 + INPUT_USD)
    spent, codes = cost(first), []
    while 3 not in codes:
        ended = go(seat)
        codes.append(ended.code)
        spent += cost(ended)
    # The next answer was bounded by what was left, and the vendor was told.
    bounds = [body["max_tokens"] for body in bodies(simulator)]
    assert bounds == sorted(bounds, reverse=True)
    assert all(
        spent_before + tokens * 15 / 1_000_000 <= 0.05
        for spent_before, tokens in zip((number * cost(first) for number in range(9)), bounds, strict=False)
    )
    assert spent <= 0.05
    # Two more whole answers, one that was cut where the day ends, and none after it.
    assert codes == [0, 0, 4, 3]
    assert ended.result["error"]["code"] in ("budget.day_used_up", "budget.input_too_large")
    (budget,) = seat.run("limits", "--json").result["budgets"]
    assert budget["used_usd"] == pytest.approx(spent)
    used = seat.run("usage", "keys", "--wallet", "simulator", "--csv").stdout.splitlines()
    assert [line.partition(",")[0] for line in used] == ["key", "work"]


def test_an_answer_that_was_cut_by_its_budget_says_so(seat: Seat, play: Play, simulator: Simulator) -> None:
    settings(seat)
    play(Answer(content=(Text("half an"),), usage=Usage(output_tokens=300), stop_reason="max_tokens"))
    ended = go(seat, "--max-budget-usd", "0.01")
    assert code_of(ended) == (4, "budget.reached")
    assert "cut at its budget" in ended.result["error"]["message"]
    assert ended.result["text"] == "half an"
    assert 0 < cost(ended) <= 0.01
    assert 16 <= bodies(simulator)[0]["max_tokens"] < 16_000
    # As long as answers may be at all: then it is the model's own end.
    unbounded = go(seat, "--max-budget-usd", "5")
    assert code_of(unbounded) == (8, "incomplete.max_tokens")


@pytest.mark.parametrize(("key", "model"), [("gpt", "gpt-6.1-sol"), ("gem", "gemini-3.8-flash")])
def test_every_vendor_is_told_and_settled(
    key: str, model: str, seat: Seat, play: Play, simulator: Simulator
) -> None:
    settings(seat)
    play(says(output_tokens=100))
    ended = go(seat, "--max-budget-usd", "0.02", key=key, model=model)
    assert ended.code == 0
    assert 0 < cost(ended) < 0.02
    refused = go(seat, "--max-budget-usd", "0.000001", key=key, model=model)
    assert code_of(refused) == (3, "budget.input_too_large")
    assert "up to" in refused.result["error"]["message"]


def test_a_key_without_a_budget_is_counted_all_the_same(seat: Seat, play: Play) -> None:
    settings(seat)
    play(says(output_tokens=1000))
    assert cost(go(seat)) == pytest.approx(0.015 + INPUT_USD)
    unknown = go(seat, model="claude-nova-9")
    assert (unknown.code, unknown.result["receipt"]["equivalent_cost_usd"]) == (0, None)


def test_a_server_that_charges_nothing_is_under_no_budget(seat: Seat, play: Play) -> None:
    settings(seat, more="[budget]\nday_usd = 0.001\n")
    play(says(output_tokens=100_000))
    for _ in range(2):
        ended = go(seat, key="local", model="my-model")
        assert (ended.code, cost(ended)) == (0, 0.0)


def test_a_request_that_was_turned_down_costs_nothing(seat: Seat, play: Play) -> None:
    settings(seat, "day_budget_usd = 1")
    play(Failure(status=401, kind="authentication_error", message="invalid x-api-key"))
    ended = go(seat)
    assert ended.code == 7
    (budget,) = seat.run("limits", "--json").result["budgets"]
    assert (budget["used_usd"], budget["held_usd"]) == (0, 0)


async def test_sixteen_runs_at_once_never_pass_the_cap_of_their_key(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    settings(seat, "day_budget_usd = 0.1")
    play(says(output_tokens=600))
    request = oneseat.make_request("say ok", key="work", model=MODEL, cwd=str(seat.cwd))
    async with oneseat.connect(seat.env) as app:
        results = await asyncio.gather(*(app.run(request) for _ in range(16)))
    costs = [result.receipt.equivalent_cost_usd or 0.0 for result in results]
    answered = [result for result in results if result.error is None]
    # Not a cent more, and what one did not use another one got: whole answers as long as there is money for one.
    each = 600 * 15 / 1_000_000 + INPUT_USD
    assert 0.1 - each - 0.005 <= sum(costs) <= 0.1
    assert len(answered) in (int(0.1 / each), int(0.1 / each) - 1)
    codes = {result.error.code for result in results if result.error is not None}
    assert codes <= {"budget.day_used_up", "budget.input_too_large", "budget.reached"}
    assert len(simulator.messages()) == sum(cost > 0 for cost in costs)


def used_of_keys(seat: Seat) -> dict[str, float]:
    """What each key is counted with, by its name."""
    return {each["name"]: each["used_usd"] for each in seat.run("limits", "--json").result["budgets"]}


def test_a_key_that_is_left_for_another_one_is_counted_with_what_it_may_have_charged(
    seat: Seat, play: Play, simulator: Simulator
) -> None:
    role = '[roles.both]\ncandidates = [{ key = "work" }, { key = "gpt" }]\n[retry]\nmax_attempts = 1\n'
    settings(seat, f'model = "{MODEL}"\nday_budget_usd = 0.05', more=role)
    text = (seat.home / "config" / "oneseat.toml").read_text("utf-8")
    gpt = 'provider = "openai"\nmodel = "gpt-6.1-sol"\nday_budget_usd = 0.04\n'
    (seat.home / "config" / "oneseat.toml").write_text(text.replace('provider = "openai"\n', gpt), "utf-8")
    lost = Answer(content=(Text("half an answer"),), fault="eof", fault_after=1)
    play(lost, says(output_tokens=100))
    first = seat.run("run", "say ok", "--role", "both", "--json")
    assert (first.code, first.result["receipt"]["provider"]) == (0, "openai")
    used = used_of_keys(seat)
    # Nobody counted the answer that was lost, so it counts with all it could cost, and for the key that would be charged.
    assert used["work"] == pytest.approx(0.05, abs=0.001)
    # What the other key served is within its own budget, which was smaller than what had been lost before.
    assert 0 < used["gpt"] <= 0.04
    simulator.clear()
    play(says(output_tokens=100))
    second = seat.run("run", "say ok", "--role", "both", "--json")
    assert (second.code, second.result["receipt"]["provider"]) == (0, "openai")
    assert [request.path.rpartition("/")[2] for request in simulator.messages()] == ["responses"]
    assert used_of_keys(seat)["work"] == used["work"]


async def test_a_run_that_calls_a_function_holds_no_more_meanwhile_than_it_has_cost(
    seat: Seat, play: Play
) -> None:
    settings(seat, "day_budget_usd = 0.05")
    play(Answer(content=(ToolUse("look", {}),), usage=Usage(output_tokens=20)), says(output_tokens=20))
    other: list[oneseat.RunResult] = []
    plain = oneseat.make_request("say ok", key="work", model=MODEL, cwd=str(seat.cwd))
    async with oneseat.connect(seat.env) as app:

        @oneseat.tool(read_only=True)
        async def look() -> str:
            """Look."""
            other.append(await app.run(plain))
            return "looked"

        asks = oneseat.make_request("look", key="work", model=MODEL, cwd=str(seat.cwd), functions=[look])
        result = await app.run(asks)
    assert [each.error for each in (*other, result)] == [None, None]
