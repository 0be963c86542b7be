"""Who may serve a request, who does not now, and when a run leaves one candidate for the next."""

from __future__ import annotations

from typing import Any

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError, exit_code
from oneseat.contract.facts import ProviderFeatures
from oneseat.contract.history import SeenLimit
from oneseat.contract.keys import ApiKey
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Attachment, Request, SessionUse, Tools
from oneseat.contract.routing import Candidate, Conditions, Outcome, RoleSettings, Wanted
from oneseat.contract.stations import Permitted
from oneseat.rules.routing import candidates as routing
from oneseat.rules.routing.breaker import open_until
from oneseat.rules.routing.candidates import CandidateFailure, CandidateState
from oneseat.rules.routing.table import table_of

KEYS = {
    "paid": ApiKey(name="paid", provider="anthropic", model="claude-haiku-4-5"),
    "credits": ApiKey(name="credits", provider="anthropic", credits=True),
    "gpt": ApiKey(name="gpt", provider="openai", model="gpt-6-luna"),
}
SEAT = Candidate(provider="claude-cli")
PAID = Candidate(provider="anthropic", model="claude-haiku-4-5", paid_from="api_key", key="paid")
CREDITS = Candidate(provider="anthropic", paid_from="api_credits", key="credits")
ALL = ProviderFeatures(tools=True, mcp=True, functions=True, schema=True, images=True, documents=True)
NOW = 1_700_000_000.0


def request(**fields: Any) -> Request:
    return Request(**{"prompt": "hi", "cwd": "/", **fields})


def permitted(tier: Any = "GREEN", **fields: Any) -> Permitted:
    keys_only = tier != "GREEN"
    return Permitted(
        request=request(**fields),
        policy=PolicyStamp(tier, "X1", "2026.11.20"),
        paid_from=frozenset({"api_credits", "api_key"} if keys_only else {"plan", "api_credits", "api_key"}),
        objection=ErrorInfo(code="policy.grey", message="not certain") if keys_only else None,
    )


def full(window: str, model_scope: str = "", resets_in: float = 600.0) -> SeenLimit:
    return SeenLimit(
        window + model_scope, "rejected", 1.0, NOW + resets_in, "rate_limit_event", None, NOW - 10, NOW - 10
    )


def test_without_settings_only_the_seat_serves() -> None:
    table = table_of("claude-cli", (), {}, ())
    assert routing.candidates(request(), table) == (SEAT,)


def test_a_fallback_is_taken_cheapest_first_whatever_its_order() -> None:
    table = table_of("claude-cli", ("paid", "credits", "codex-cli"), KEYS, ())
    found = routing.candidates(request(), table)
    assert found == (SEAT, Candidate(provider="codex-cli"), CREDITS, PAID)


def test_a_full_model_name_goes_along_to_a_key_of_its_vendor_only() -> None:
    table = table_of("claude-cli", ("paid", "gpt"), KEYS, ())
    found = routing.candidates(request(model="claude-opus-5-5"), table)
    assert not isinstance(found, ErrorInfo)
    assert [each.model for each in found] == [None, "claude-opus-5-5", "gpt-6-luna"]
    short = routing.candidates(request(model="opus"), table)
    assert not isinstance(short, ErrorInfo)
    assert [each.model for each in short] == [None, "claude-haiku-4-5", "gpt-6-luna"]


def test_who_is_asked_for_serves_or_nobody() -> None:
    table = table_of("claude-cli", ("paid",), KEYS, ())
    assert routing.candidates(request(key="paid"), table) == (PAID,)
    assert routing.candidates(request(provider="anthropic"), table) == (CREDITS,)
    assert routing.candidates(request(provider="codex-cli", model="gpt-6.1-sol"), table) == (
        Candidate(provider="codex-cli", model="gpt-6.1-sol"),
    )


@pytest.mark.parametrize(
    ("fields", "code", "hint"),
    [
        ({"role": "reasonin"}, "usage.unknown_role", "`oneseat run --role reasoning ...`"),
        ({"key": "payd"}, "usage.unknown_key", "`oneseat run --key paid ...`"),
        ({"provider": "antropic"}, "usage.unknown_provider", "`oneseat run --provider anthropic ...`"),
        ({"provider": "gemini"}, "usage.no_key", "`oneseat key set NAME --provider gemini`"),
    ],
)
def test_an_unknown_name_says_the_nearest_one(fields: dict[str, str], code: str, hint: str) -> None:
    role = RoleSettings(name="reasoning", candidates=(Wanted(provider="claude-cli"),))
    found = routing.candidates(request(**fields), table_of("claude-cli", (), KEYS, (role,)))
    assert isinstance(found, ErrorInfo)
    assert found.code == code
    assert exit_code(code) == 2
    assert hint in (found.hint or "")


def test_a_role_keeps_the_order_it_was_written_in() -> None:
    when = Conditions(window_below_percent=80)
    role = RoleSettings(
        name="bulk", candidates=(Wanted(key="gpt"), Wanted(provider="claude-cli", model="haiku", when=when))
    )
    table = table_of("claude-cli", (), KEYS, (role,))
    assert routing.candidates(request(role="bulk"), table) == (
        Candidate(provider="openai", model="gpt-6-luna", paid_from="api_key", key="gpt"),
        Candidate(provider="claude-cli", model="haiku", when=when),
    )


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Wanted(key="payd"), "usage.unknown_key"),
        (Wanted(provider="claude"), "usage.unknown_provider"),
        # A key's name is no seat, and the other way round.
        (Wanted(provider="paid"), "usage.unknown_provider"),
        (Wanted(key="claude-cli"), "usage.unknown_key"),
    ],
)
def test_a_role_that_names_what_is_not_there_is_refused_with_its_place(wanted: Wanted, code: str) -> None:
    with pytest.raises(UsageError) as raised:
        table_of("claude-cli", (), KEYS, (RoleSettings(name="code", candidates=(wanted,)),))
    assert raised.value.info.code == code
    assert "roles.code.candidates" in raised.value.info.message


def test_what_the_policy_keeps_from_the_plan_goes_to_a_key() -> None:
    grey = permitted("GREY")
    assert routing.ineligible_reason(SEAT, grey, ALL) == grey.objection
    assert routing.ineligible_reason(PAID, grey, ALL) is None


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [
        ({"tools": Tools(names=("Read",))}, "tools"),
        ({"schema": {"type": "object"}}, "schema"),
        ({"attachments": (Attachment("a.png", "image/png", b""),)}, "images"),
        ({"attachments": (Attachment("a.pdf", "application/pdf", b""),)}, "documents"),
    ],
)
def test_a_provider_is_not_asked_for_what_it_does_not_have(fields: dict[str, Any], lacking: str) -> None:
    error = routing.ineligible_reason(PAID, permitted(**fields), ProviderFeatures())
    assert error is not None
    assert (error.code, lacking in error.message) == ("usage.provider_cannot", True)
    assert routing.ineligible_reason(PAID, permitted(**fields), ALL) is None


@pytest.mark.parametrize(
    ("when", "fields", "serves"),
    [
        (Conditions(tiers=("GREEN",)), {}, True),
        (Conditions(tiers=("GREY", "RED")), {}, False),
        (Conditions(only_with=("schema",)), {"schema": {}}, True),
        (Conditions(only_with=("schema",)), {}, False),
        (Conditions(never_with=("schema",)), {"schema": {}}, False),
        (Conditions(prompt_below_tokens=10), {"prompt": "x" * 27}, True),
        (Conditions(prompt_below_tokens=10), {"prompt": "x" * 30}, False),
        (Conditions(prompt_from_tokens=10), {"prompt": "x" * 30}, True),
        (Conditions(prompt_from_tokens=10), {"prompt": "x" * 27}, False),
        (Conditions(budget_left_usd=1.0), {}, False),
        (Conditions(budget_left_usd=0.5), {}, True),
    ],
)
def test_conditions_of_the_settings(when: Conditions, fields: dict[str, Any], serves: bool) -> None:
    candidate = Candidate(provider="claude-cli", when=when)
    state = CandidateState(now=NOW, model="sonnet", budget_left_usd=0.5)
    error = routing.unavailable_reason(candidate, permitted(**fields), state)
    assert (error is None) is serves
    assert error is None or error.code == "policy.conditions"


def test_a_full_window_holds_its_models_back_until_the_reset() -> None:
    state = CandidateState(now=NOW, model="opus", seen=[full("seven_day_opus")])
    error = routing.unavailable_reason(SEAT, permitted(), state)
    assert error is not None
    assert (error.code, error.retry_after_s, exit_code(error.code)) == ("limit.seven_day_opus", 600.0, 5)
    assert routing.passed_over(SEAT, error, NOW).until == "2023-11-14T22:23:20Z"
    other = CandidateState(now=NOW, model="sonnet", seen=[full("seven_day_opus")])
    assert routing.unavailable_reason(SEAT, permitted(), other) is None
    reset = CandidateState(now=NOW + 601, model="opus", seen=[full("seven_day_opus")])
    assert routing.unavailable_reason(SEAT, permitted(), reset) is None


@pytest.mark.parametrize(("used", "serves"), [(0.79, True), (0.8, False), (None, True)])
def test_a_window_may_be_filled_as_far_as_the_owner_says(used: float | None, serves: bool) -> None:
    seen = SeenLimit("five_hour", "allowed", used, NOW + 60, "rate_limit_event", None, NOW - 5, NOW - 5)
    candidate = Candidate(provider="claude-cli", when=Conditions(window_below_percent=80))
    error = routing.unavailable_reason(
        candidate, permitted(), CandidateState(now=NOW, model="sonnet", seen=[seen])
    )
    assert (error is None) is serves


@pytest.mark.parametrize(
    ("codes", "open_for"),
    [
        (["provider.overloaded"] * 2, None),
        (["provider.overloaded"] * 3, 60.0),
        (
            ["provider.overloaded", "provider.server_error", "provider.unreachable", "provider.overloaded"],
            120.0,
        ),
        (["provider.overloaded"] * 20, 900.0),
        # One answer closes it; what is nobody's outage never opens it.
        (["provider.overloaded", "provider.overloaded", None, "provider.overloaded"], None),
        (["limit.five_hour"] * 5, None),
        (["usage.unknown_model"] * 5, None),
        ([], None),
    ],
)
def test_the_circuit_opens_after_three_failures_in_a_row(
    codes: list[str | None], open_for: float | None
) -> None:
    outcomes = [Outcome(NOW + number, code) for number, code in enumerate(codes)]
    until = open_until(outcomes)
    assert (None if until is None else until - outcomes[-1].at) == open_for


def test_an_open_circuit_leaves_the_candidate_alone_until_it_closes() -> None:
    outcomes = [Outcome(NOW, "provider.overloaded")] * 3
    held = routing.unavailable_reason(
        SEAT, permitted(), CandidateState(now=NOW + 10, model="sonnet", outcomes=outcomes)
    )
    assert held is not None
    assert (held.code, held.retry_after_s, held.whose_turn) == ("provider.circuit_open", 50.0, "wait")
    later = CandidateState(now=NOW + 60, model="sonnet", outcomes=outcomes)
    assert routing.unavailable_reason(SEAT, permitted(), later) is None


@pytest.mark.parametrize(
    ("code", "acted", "to", "moves"),
    [
        ("limit.five_hour", False, PAID, True),
        ("provider.overloaded", False, PAID, True),
        ("budget.day_used_up", False, SEAT, True),
        # What acted would act twice.
        ("limit.five_hour", True, PAID, False),
        # What costs nothing to put right never leads to a charge.
        ("provider.signed_out", False, PAID, False),
        ("provider.signed_out", False, Candidate(provider="codex-cli"), True),
        ("billing.api_key_wins", False, PAID, False),
        ("billing.misbilled", False, PAID, False),
        ("incomplete.empty", False, PAID, False),
        ("stall.model", False, PAID, False),
        ("usage.unknown_model", False, PAID, False),
    ],
)
def test_what_a_run_leaves_a_candidate_for(code: str, acted: bool, to: Candidate, moves: bool) -> None:
    error = ErrorInfo(code=code, message="it failed")
    assert routing.falls_back(error, acted=acted, left=SEAT, to=to) is moves


@pytest.mark.parametrize(
    ("left", "to", "moves"),
    [
        (CREDITS, PAID, True),
        (CREDITS, CREDITS, True),
        (PAID, PAID, True),
        (PAID, SEAT, True),
        (SEAT, PAID, False),
    ],
)
def test_a_run_leaves_credits_that_are_used_up_and_no_plan_that_wants_money(
    left: Candidate, to: Candidate, *, moves: bool
) -> None:
    error = ErrorInfo(code="provider.credit_exhausted", message="no credit")
    assert routing.falls_back(error, acted=False, left=left, to=to) is moves


def test_when_nobody_serves_the_first_ones_reason_is_the_runs_and_the_others_are_told() -> None:
    first = ErrorInfo(code="limit.five_hour", message="full", retry_after_s=60.0)
    second = ErrorInfo(code="budget.day_used_up", message="nothing left\n  of it")
    error = routing.no_candidate_error([CandidateFailure(SEAT, first), CandidateFailure(PAID, second)])
    assert (error.code, error.retry_after_s) == ("limit.five_hour", 60.0)
    assert error.message == "full\n  nor anthropic claude-haiku-4-5 (api_key `paid`): nothing left"
    assert routing.no_candidate_error([CandidateFailure(SEAT, first)]) == first


def test_a_conversation_needs_a_provider_that_keeps_one_and_a_quotation_does_not() -> None:
    assert list(routing.needs(request(session=SessionUse(name="ada")))) == ["sessions"]
    assert list(routing.needs(request(session=SessionUse(after="a1b2")))) == []
