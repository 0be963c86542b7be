"""Which wallet serves which request, through the real command, the real CLI and the official SDK on the simulator."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import oneseat
from oneseat import make_request
from oneseat.contract.request import Purpose
from oneseat.testing import Answer, Behaviour, Simulator, Text
from oneseat.testing.fake_cli import Print
from oneseat.testing.replies import Usage
from tests.e2e.driving import SDKS, Done, Seat, fake_seat, live_in

KEY = """
[keys.paid]
provider = "anthropic"
env = "MY_KEY"
model = "claude-haiku-4-5"
"""
MODEL = "claude-haiku-4-5"
FULL_PLAN = Path(__file__).parents[2] / "data" / "claude" / "fail-e429uni.jsonl"
CONSENT = KEY + '\n[fallback]\nto = ["paid"]\n'


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Iterator[Seat]:
    seat = Seat(tmp_path, claude_path, simulator)
    seat.loads = SDKS
    yield seat
    seat.assert_nothing_left()


def settings(seat: Seat, text: str) -> None:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def playing(seat: Seat, simulator: Simulator, scenario: str, label: str = "mine") -> Seat:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url(scenario, label)
    return seat


def asked(simulator: Simulator, label: str = "mine") -> Counter[str]:
    """How many model requests came, by what would have paid for them."""
    return Counter("plan" if request.on_plan else "key" for request in simulator.messages(label))


def by(result: dict[str, Any]) -> tuple[str, str | None]:
    return result["receipt"]["provider"], result["error"] and result["error"]["code"]


def events(done: Done, kind: str) -> list[dict[str, Any]]:
    return [line for line in done.lines if line["type"] == kind]


def test_a_full_plan_falls_to_a_key_with_consent_only(seat: Seat, simulator: Simulator) -> None:
    settings(seat, KEY)
    refused = playing(seat, simulator, "plan-full").run("run", "--json", "hi")
    assert (refused.code, by(refused.result)) == (5, ("claude-cli", "limit.five_hour"))
    assert asked(simulator) == {"plan": 1}
    settings(seat, CONSENT)
    simulator.clear()
    served = seat.run("run", "--stream-json", "hi")
    assert served.code == 0
    result = served.lines[-1]
    assert by(result) == ("anthropic", None)
    assert result["receipt"]["verdict"] == "verified"
    assert result["text"] == "ok from the simulator"
    # The window is known to be full by now, so the seat is not even asked.
    assert asked(simulator) == {"key": 1}
    (routed,) = events(served, "routed")
    assert (routed["paid_from"], routed["key"], routed["cause"]) == ("api_key", "paid", None)
    assert routed["passed_over"][0]["code"] == "limit.five_hour"
    assert routed["passed_over"][0]["until"] is not None
    assert {"what": "passed_over:claude-cli (plan)", "value": "limit.five_hour", "when": "before"} in result[
        "receipt"
    ]["evidence"]
    told = seat.run("run", "hi")
    note = (
        "note: the key `paid` (anthropic) serves this run; claude-cli (plan) cannot: limit.five_hour until 20"
    )
    assert (told.stdout, told.stderr[: len(note)]) == ("ok from the simulator\n", note)


def test_a_plan_that_turns_out_to_be_full_is_left_in_the_middle_of_the_run(
    seat: Seat, simulator: Simulator
) -> None:
    settings(seat, CONSENT)
    served = playing(seat, simulator, "plan-full").run("run", "--stream-json", "hi")
    assert served.code == 0
    assert [event["cause"] for event in events(served, "routed")] == [None, "limit.five_hour"]
    assert asked(simulator) == {"plan": 1, "key": 1}
    receipt = served.lines[-1]["receipt"]
    assert (receipt["provider"], receipt["attempts"]) == ("anthropic", 2)
    (logged,) = json.loads(seat.run("log", "--json").stdout)["runs"]
    assert (logged["provider"], logged["status"]) == ("anthropic", "completed")


def test_a_key_that_is_asked_for_serves_alone(seat: Seat, simulator: Simulator) -> None:
    settings(seat, KEY)
    done = playing(seat, simulator, "ok").run("run", "--json", "--key", "paid", "hi")
    assert (done.code, by(done.result), asked(simulator)) == (0, ("anthropic", None), {"key": 1})
    unknown = seat.run("run", "--json", "--key", "payd", "hi")
    assert (unknown.code, unknown.result["error"]["code"]) == (2, "usage.unknown_key")
    assert asked(simulator) == {"key": 1}


def test_tools_stay_with_the_seat_whatever_the_settings_allow(seat: Seat, simulator: Simulator) -> None:
    settings(seat, CONSENT)
    done = playing(seat, simulator, "plan-full").run("run", "--json", "--tools", "read", "hi")
    assert (done.code, by(done.result)) == (5, ("claude-cli", "limit.five_hour"))
    assert "nor anthropic" in done.result["error"]["message"]
    assert asked(simulator) == {"plan": 1}


def test_a_project_on_a_key_is_told_what_was_said_on_the_seat(seat: Seat, simulator: Simulator) -> None:
    text = f'{CONSENT}\n[projects.shop]\ndirectory = "{seat.root}"\n'
    settings(seat, text)
    playing(seat, simulator, "text:teal").run("run", "--project", "shop", "Pick a colour")
    done = playing(seat, simulator, "plan-full", "later").run(
        "run", "--json", "--project", "shop", "Which one?"
    )
    assert (done.code, done.result["receipt"]["provider"]) == (0, "anthropic")
    (on_key,) = [it for it in simulator.messages("later") if not it.on_plan]
    assert "teal" in json.dumps(on_key.body)


def test_sixteen_runs_on_a_full_plan_never_spend_more_of_the_key_than_its_cap(
    tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the CLI says of a full plan, as it was recorded, but for the time at which the window ends.
    said = re.sub(r'"resetsAt": \d+', f'"resetsAt": {int(time.time()) + 7200}', FULL_PLAN.read_text("utf-8"))
    seat, cli = fake_seat(tmp_path, Behaviour(on_user=(Print(said),)))
    settings(seat, CONSENT.replace("[fallback]", "day_budget_usd = 0.02\n\n[fallback]"))
    # 900 tokens of output are $0.0045 with this model: four of them fit, and a fifth would have to be cut.
    long = Answer(
        content=(Text("word " * 900),),
        usage=Usage(input_tokens=3, output_tokens=900, cache_read_tokens=0, cache_write_5m_tokens=0),
    )
    simulator.script("long", [long])
    playing(seat, simulator, "long")
    live_in(seat, monkeypatch)

    async def all_at_once() -> list[oneseat.RunResult]:
        async with oneseat.connect() as app:
            requests = [
                make_request("hi", model=MODEL, max_budget_usd=0.005, cwd=seat.cwd) for _ in range(16)
            ]
            return await asyncio.gather(*map(app.run, requests))

    results = asyncio.run(all_at_once())
    assert cli.starts()
    ended = Counter(result.error.code if result.error is not None else "ok" for result in results)
    equivalent = sum(result.receipt.equivalent_cost_usd or 0.0 for result in results)
    assert 0.018 <= equivalent <= 0.02
    assert ended["ok"] == 4
    assert ended.keys() <= {"ok", "limit.five_hour", "budget.reached"}
    for result in results:
        if result.error is not None and result.error.code == "limit.five_hour":
            assert "nor anthropic" in result.error.message


def test_what_the_plan_had_reserved_is_left_for_the_key_that_takes_over(
    seat: Seat, simulator: Simulator
) -> None:
    role = '[roles.r]\ncandidates = [{ provider = "claude-cli" }, { key = "paid", when = { budget_left_usd = 0.6 } }]\n'
    settings(seat, f"{KEY}{role}[budget]\nday_usd = 1.0\n")
    # On the plan it holds half of the day's budget until the plan turns out to be full.
    served = playing(seat, simulator, "plan-full").run("run", "--json", "--role", "r", "hi")
    assert (served.code, by(served.result)) == (0, ("anthropic", None))


def test_a_route_tells_of_the_pause_and_the_budget_that_a_run_would_meet(
    seat: Seat, simulator: Simulator
) -> None:
    settings(seat, f"{CONSENT}[limits]\npause_at_percent = 90\n")
    assert playing(seat, simulator, "warning-five-hour").run("run", "hi").code == 0
    assert seat.run("route", "hi").stdout == "anthropic claude-haiku-4-5 (api_key `paid`)\n"
    assert seat.run("route", "--over-limit", "hi").stdout == "claude-cli (plan)\n"
    # The day of the plan is used up by what the first run cost.
    settings(seat, f"{CONSENT}[budget]\nday_usd = 0.0004\n")
    spent = seat.run("route", "--explain", "hi").stdout
    assert spent.count("no, budget.day_used_up: The day's budget is used up") == 2
    settings(seat, "[limits]\npause_at_percent = 90\n")
    paused = seat.run("route", "--explain", "hi")
    assert (paused.code, "1. claude-cli (plan): no, limit.paused: " in paused.stdout) == (5, True)


def test_included_credits_that_are_used_up_lead_to_the_paid_key(seat: Seat, simulator: Simulator) -> None:
    # Both are addresses of the owner's own, and both are the simulator's: nothing here is a simulated run.
    del seat.env["ONESEAT_SIMULATOR_URL"]
    seat.env["MY_KEY"] = "sk-ant-api03-made-up-0000"
    included = KEY.replace("[keys.paid]", "[keys.included]") + "credits = true\n"
    included += f'base_url = "{simulator.url("credit-balance", "mine")}"\n'
    paid = f'{KEY}base_url = "{simulator.url("ok", "other")}"\n'
    settings(seat, f'{included}{paid}[roles.r]\ncandidates = [{{ key = "included" }}, {{ key = "paid" }}]\n')
    served = seat.run("run", "--stream-json", "--role", "r", "hi")
    assert served.code == 0
    assert [event["cause"] for event in events(served, "routed")] == [None, "provider.credit_exhausted"]
    assert (len(simulator.messages("mine")), len(simulator.messages("other"))) == (1, 1)


def test_the_route_is_told_without_asking_anybody(seat: Seat, simulator: Simulator) -> None:
    settings(seat, CONSENT)
    told = playing(seat, simulator, "ok").run("route", "--explain", "--json", "hi")
    report = json.loads(told.stdout)
    assert (told.code, report["chosen"]) == (0, "claude-cli (plan)")
    assert [each["serves"] for each in report["candidates"]] == [True, True]
    with_tools = seat.run("route", "--explain", "--tools", "edit", "hi")
    assert "2. anthropic claude-haiku-4-5 (api_key `paid`): no, usage.provider_cannot" in with_tools.stdout
    assert asked(simulator) == {}
    assert seat.runs() == []


#: Who asks for whom: the policy's word, its rule, and the purpose as the library says it.
REQUESTS: dict[str, tuple[tuple[str, ...], str, str, Purpose]] = {
    # The simulator's made-up login is a token in the environment, which has a rule of its own.
    "owner": ((), "GREEN", "Y1", Purpose()),
    "colleague": (("--for", "Ana"), "RED", "R1", Purpose(author="other_human")),
    "public page": (("--reader", "customers"), "RED", "R3", Purpose(reader="customers")),
    "client work": (("--work-of", "client"), "GREY", "Y5", Purpose(work_owner="client")),
    "unknown": (("--for", "unknown"), "GREY", "Y13", Purpose(author="unknown")),
}


@pytest.mark.parametrize("who", REQUESTS)
def test_each_request_is_served_by_the_wallet_that_may(
    who: str, seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, tier, rule, purpose = REQUESTS[who]
    settings(seat, KEY)
    alone = playing(seat, simulator, "ok", "alone").run("run", "--json", *options, "hi")
    decided = alone.result["receipt"]["policy"]
    assert (decided["tier"], decided["rule"]) == (tier, rule)
    if tier == "GREEN":
        assert (alone.code, by(alone.result), asked(simulator, "alone")) == (
            0,
            ("claude-cli", None),
            {"plan": 1},
        )
    else:
        assert (alone.code, alone.result["error"]["code"]) == (3, f"policy.{tier.lower()}")
        assert (alone.result["receipt"]["verdict"], asked(simulator, "alone")) == ("nothing_sent", {})
    settings(seat, CONSENT)
    playing(seat, simulator, "ok", "consent")
    live_in(seat, monkeypatch)
    served = oneseat.run("hi", purpose=purpose, cwd=seat.cwd)
    assert served.receipt.policy is not None
    assert (served.receipt.policy.tier, served.receipt.policy.rule) == (tier, rule)
    assert asked(simulator, "consent") == ({"plan": 1} if tier == "GREEN" else {"key": 1})
    assert served.receipt.provider == ("claude-cli" if tier == "GREEN" else "anthropic")
