"""A run and its candidates in virtual time: who serves, who is left for whom, and what the receipt says of it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from oneseat.contract.errors import exit_code
from oneseat.contract.events import Event, Message, Routed, ToolCall
from oneseat.contract.history import SeenLimit
from oneseat.contract.receipt import NO_TOKENS, RunResult
from oneseat.contract.request import Purpose, Request
from oneseat.contract.routing import Candidate, Outcome, Role, RouteReport, RouteTable
from oneseat.testing.virtual_time import run_virtual

from .scripted import (
    OF_KEY,
    USED,
    Memory,
    Script,
    ScriptedProvider,
    Several,
    answer,
    failure,
    scripted_app,
    started,
)

SEAT = Candidate(provider="claude-cli")
PAID = Candidate(provider="anthropic", model="claude-sonnet-5", paid_from="api_key", key="paid")
OTHER = Candidate(provider="openai", model="gpt-6-luna", paid_from="api_key", key="gpt")
FALLBACK = RouteTable(seat=SEAT, fallback=(PAID,))
ROLE = RouteTable(seat=SEAT, roles={"code": Role(name="code", candidates=(SEAT, PAID, OTHER))})
ON_KEY = Script(answer("from the key", list_cost_usd=0.01), OF_KEY)
FULL = Script(failure("limit.five_hour", wait=3600.0))


class Ran(NamedTuple):
    """One run with its candidates."""

    result: RunResult
    memory: Memory
    opened: dict[str, int]

    @property
    def routed(self) -> list[Routed]:
        return [event for event in self.memory.events if isinstance(event, Routed)]


def providers(**scripts: tuple[Script, ...]) -> dict[str, ScriptedProvider]:
    names = {"seat": "claude-cli", "anthropic": "anthropic", "openai": "openai"}
    return {
        names[name]: ScriptedProvider(each, names[name], "plan" if name == "seat" else "api_key")
        for name, each in scripts.items()
    }


def ran(
    routes: RouteTable,
    memory: Memory | None = None,
    *,
    request: Request | None = None,
    **scripts: tuple[Script, ...],
) -> Ran:
    memory, there = memory or Memory(), providers(**scripts)
    app = scripted_app(there["claude-cli"], memory, Several(*there.values()), routes)

    async def go() -> RunResult:
        return await app.run(request or Request(prompt="hi", cwd="/"))

    result = run_virtual(go())
    return Ran(result, memory, {name: len(each.opened_at) for name, each in there.items()})


def test_a_plan_at_its_limit_falls_to_a_key_where_the_settings_allow_it() -> None:
    run = ran(FALLBACK, seat=(FULL,), anthropic=(ON_KEY,))
    receipt = run.result.receipt
    assert (run.result.status, run.result.text) == ("completed", "from the key")
    assert (receipt.provider, receipt.wallet, receipt.expected_wallet) == ("anthropic", "api_key", "api_key")
    assert (receipt.verdict, receipt.cost_usd, receipt.usage) == ("verified", 0.01, USED)
    assert run.opened == {"claude-cli": 1, "anthropic": 1}
    first, second = run.routed
    assert (first.provider, first.cause, first.passed_over) == ("claude-cli", None, ())
    assert (second.provider, second.model, second.key, second.cause) == (
        "anthropic",
        "claude-sonnet-5",
        "paid",
        "limit.five_hour",
    )
    assert ("passed_over:claude-cli (plan)", "limit.five_hour") in [
        (it.what, it.value) for it in receipt.evidence
    ]
    assert run.memory.routed_to == [("claude-cli", "plan", None), ("anthropic", "api_key", "paid")]


def test_a_seat_that_nobody_asks_is_not_loaded() -> None:
    there = providers(anthropic=(ON_KEY,), seat=())
    # `Several` knows no provider of this name.
    routes = RouteTable(seat=Candidate(provider="codex-cli"), keys=(PAID,))
    app = scripted_app(there["claude-cli"], Memory(), Several(*there.values()), routes)
    result = run_virtual(app.run(Request(prompt="hi", cwd="/", key="paid")))
    assert (result.status, result.text) == ("completed", "from the key")


def test_without_consent_it_stays_on_the_plan() -> None:
    run = ran(RouteTable(seat=SEAT), seat=(FULL,), anthropic=(ON_KEY,))
    assert run.result.error is not None
    assert (run.result.error.code, exit_code(run.result.error.code)) == ("limit.five_hour", 5)
    assert run.opened == {"claude-cli": 1, "anthropic": 0}
    assert run.routed == []


def test_a_window_known_to_be_full_is_not_asked() -> None:
    memory = Memory()
    memory.seen["claude-cli"] = [SeenLimit("five_hour", "rejected", 1.0, 9e9, "test", None, -1.0, 0.0)]
    run = ran(FALLBACK, memory, seat=(FULL,), anthropic=(ON_KEY,))
    assert run.opened == {"claude-cli": 0, "anthropic": 1}
    assert run.result.receipt.provider == "anthropic"
    (routed,) = run.routed
    assert [(one.code, one.candidate) for one in routed.passed_over] == [
        ("limit.five_hour", "claude-cli (plan)")
    ]


def test_work_that_the_plan_may_not_serve_goes_to_a_key_or_nowhere() -> None:
    request = Request(prompt="hi", cwd="/", purpose=Purpose(author="other_human"))
    run = ran(FALLBACK, request=request, seat=(Script(answer()),), anthropic=(ON_KEY,))
    assert run.opened == {"claude-cli": 0, "anthropic": 1}
    assert run.result.receipt.policy is not None
    assert (run.result.receipt.policy.tier, run.result.receipt.policy.rule) == ("RED", "R1")
    alone = ran(RouteTable(seat=SEAT), request=request, seat=(Script(answer()),))
    assert alone.result.error is not None
    assert (alone.result.status, alone.result.error.code) == ("refused", "policy.red")
    assert (alone.opened, alone.result.receipt.verdict) == ({"claude-cli": 0}, "nothing_sent")
    assert alone.result.receipt.usage == NO_TOKENS


def test_a_run_in_which_a_tool_acted_stays_where_it_is() -> None:
    acted = Script((started(), ToolCall(id="1", name="Bash", input={}), *failure("limit.five_hour")[1:]))
    run = ran(FALLBACK, seat=(acted,), anthropic=(ON_KEY,))
    assert run.result.error is not None
    assert run.result.error.code == "limit.five_hour"
    assert run.opened == {"claude-cli": 1, "anthropic": 0}


def test_a_missing_seat_never_leads_to_a_charge() -> None:
    role = RouteTable(
        seat=SEAT, roles={"code": Role(name="code", candidates=(Candidate(provider="codex-cli"), PAID))}
    )
    run = ran(role, request=Request(prompt="hi", cwd="/", role="code"), seat=(FULL,), anthropic=(ON_KEY,))
    assert run.result.error is not None
    assert run.result.error.code == "provider.not_found"
    assert run.opened["anthropic"] == 0


def test_the_candidates_of_a_role_follow_each_other() -> None:
    request = Request(prompt="hi", cwd="/", role="code")
    overloaded = Script(failure("provider.overloaded"), OF_KEY)
    run = ran(ROLE, request=request, seat=(FULL,), anthropic=(overloaded,), openai=(ON_KEY,))
    assert run.result.receipt.provider == "openai"
    assert [(it.provider, it.role, it.cause) for it in run.routed] == [
        ("claude-cli", "code", None),
        ("anthropic", "code", "limit.five_hour"),
        ("openai", "code", "provider.overloaded"),
    ]


def test_when_all_fail_the_most_wanted_ones_error_tells_of_the_others() -> None:
    overloaded = Script(failure("provider.overloaded"), OF_KEY)
    run = ran(FALLBACK, seat=(FULL,), anthropic=(overloaded,))
    assert run.result.error is not None
    assert run.result.error.code == "limit.five_hour"
    assert "nor anthropic claude-sonnet-5 (api_key `paid`)" in run.result.error.message
    assert run.result.receipt.attempts == 1 + 3


def test_what_was_received_before_the_run_moved_on_is_kept_when_nothing_better_comes() -> None:
    broken = Script(failure("provider.connection_lost", text="half an answer"))
    silent = Script(failure("provider.overloaded"), OF_KEY)
    run = ran(FALLBACK, seat=(broken,), anthropic=(silent,))
    assert run.result.text == "half an answer"
    assert run.result.receipt.provider == "claude-cli"


def test_three_failures_in_a_row_leave_a_candidate_alone() -> None:
    memory = Memory()
    memory.ends = [(SEAT.label, Outcome(0.0, "provider.server_error"))] * 3
    run = ran(FALLBACK, memory, seat=(Script(answer()),), anthropic=(ON_KEY,))
    assert run.opened == {"claude-cli": 0, "anthropic": 1}
    assert run.routed[0].passed_over[0].code == "provider.circuit_open"
    assert memory.ends[-1] == (PAID.label, Outcome(0.0, None))


@pytest.mark.parametrize(
    ("scripts", "code"),
    [
        ((failure("billing.misbilled"),), "billing.misbilled"),
        ((failure("incomplete.refused"),), "incomplete.refused"),
    ],
)
def test_some_failures_are_the_runs_whatever_comes_after(
    scripts: tuple[tuple[Event, ...], ...], code: str
) -> None:
    run = ran(FALLBACK, seat=tuple(map(Script, scripts)), anthropic=(ON_KEY,))
    assert run.result.error is not None
    assert (run.result.error.code, run.opened["anthropic"]) == (code, 0)


def test_the_cost_of_all_who_were_charged_is_on_the_receipt() -> None:
    half = (started(), Message(text="half"), *failure("provider.connection_lost")[1:])
    first = Script((*half[:-1], answer(list_cost_usd=0.02)[-1]), OF_KEY)
    role = RouteTable(seat=SEAT, roles={"code": Role(name="code", candidates=(PAID, OTHER))})
    request = Request(prompt="hi", cwd="/", role="code", max_budget_usd=1.0)
    run = ran(role, request=request, seat=(FULL,), anthropic=(first,), openai=(ON_KEY,))
    assert run.result.status == "completed"
    assert run.result.receipt.cost_usd == 0.02


@pytest.mark.parametrize(
    ("left", "least", "most"),
    [
        (FULL, 0.0, 0.0),
        # Nobody reported what the answer cost that broke off: what was seen of it counts.
        (Script(failure("provider.connection_lost", text="word " * 400)), 0.001, 0.1),
        (Script(failure("provider.connection_lost")), 0.0, 0.0),
    ],
)
def test_a_run_that_goes_on_elsewhere_keeps_of_its_budget_what_it_has_used(
    left: Script, least: float, most: float
) -> None:
    request = Request(prompt="hi", cwd="/", model="claude-sonnet-5", max_budget_usd=1.0)
    run = ran(FALLBACK, request=request, seat=(left,), anthropic=(ON_KEY,))
    assert run.result.status == "completed"
    before, after = run.memory.used
    assert before == 0.0
    assert least <= after <= most


def test_an_explanation_asks_everybody_and_starts_nobody() -> None:
    memory = Memory()
    memory.seen["claude-cli"] = [SeenLimit("five_hour", "rejected", 1.0, 9e9, "test", None, -1.0, 0.0)]
    there = providers(seat=(FULL,), anthropic=(ON_KEY,))
    app = scripted_app(there["claude-cli"], memory, Several(*there.values()), FALLBACK)

    async def go() -> RouteReport:
        return await app.route(Request(prompt="hi", cwd="/"))

    report = run_virtual(go())
    assert report.chosen == PAID.label
    assert [(each.serves, each.code) for each in report.candidates] == [
        (False, "limit.five_hour"),
        (True, None),
    ]
    assert [len(each.opened_at) for each in there.values()] == [0, 0]
    assert memory.events == []
