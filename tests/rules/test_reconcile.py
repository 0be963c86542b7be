"""What adds up and what does not: receipts, prices, windows, conversations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.budgets import Price, Rates, Tier
from oneseat.contract.reports.audit import Finding, LimitFact, RunFact, SessionDeps, SessionFact
from oneseat.rules.usage.audit import SLACK_MS, reconcile
from oneseat.rules.usage.sums import Part

RATES = Rates(input=2, output=10, cache_read=0.2, cache_write_5m=2.5, cache_write_1h=4)
LONG = Rates(input=4, output=20, cache_read=0.4, cache_write_5m=5, cache_write_1h=8)
PRICES = {
    "known": Price(rates=RATES, table="t"),
    "tiered": Price(rates=RATES, tiers=(Tier(100, LONG),), table="t"),
}
HOUR = 3_600_000
NOON = 500_000 * HOUR
RESETS = NOON + 4 * HOUR


def run(name: str = "r", **changed: Any) -> RunFact:
    """A run that adds up: a million tokens in and out, twelve dollars."""
    facts: dict[str, Any] = {
        "id": name,
        "began": NOON,
        "ended": NOON + 1000,
        "status": "completed",
        "model": "known",
        "verdict": "verified",
        "charged": 0.0,
        "listed": 12.0,
        "comparable": True,
        "tokens": (1_000_000, 1_000_000, 0, 0, 0),
    }
    return RunFact(**{**facts, **changed})


def part(answers: int = 1) -> Part:
    return Part((1, "transcript", "unknown", "p", "known", "1"), answers, (1, 2, 3, 4, 5), 0.5, None)


def limit(
    used: float, at: int, window: str = "five_hour", resets: int = RESETS, source: str = "get_usage"
) -> LimitFact:
    return LimitFact(window, source, used, resets, at)


def found(
    *runs: RunFact,
    limits: tuple[LimitFact, ...] = (),
    sessions: tuple[SessionFact, ...] = (),
    others: tuple[tuple[int, Part], ...] = (),
    transcripts: frozenset[str] = frozenset(),
    now: int = NOON + HOUR,
) -> list[Finding]:
    return list(
        reconcile(
            SessionDeps(runs, limits, sessions), others, transcripts, lambda model, _: PRICES.get(model), now
        )
    )


def kinds(findings: list[Finding]) -> list[str]:
    return [each.kind for each in findings]


def test_what_adds_up_has_no_findings() -> None:
    refused = run("no", verdict="nothing_sent", tokens=(0, 0, 0, 0, 0), listed=0.0, comparable=False)
    going_on = run("on", ended=None, verdict=None, tokens=None, listed=None, comparable=False)
    assert found() == []
    assert found(run(), refused, going_on, limits=(limit(0.1, NOON - 1), limit(0.3, NOON + 2000))) == []


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"verdict": "misbilled", "charged": 0.3}, "misbilled"),
        ({"verdict": "misbilled", "charged": None}, "misbilled"),
        ({"verdict": "unverified"}, "unverified"),
        ({"verdict": "unverified", "status": "cancelled", "tokens": None, "listed": None}, "unknown_use"),
        ({"tokens": None, "listed": None}, "unknown_use"),
        ({"listed": 11.3}, "cost_differs"),
        ({"listed": 12.7}, "cost_differs"),
    ],
)
def test_a_receipt_that_does_not_add_up_is_named(changed: dict[str, Any], kind: str) -> None:
    (one,) = (
        found(run("good"), run("bad", **changed)) if kind != "cost_differs" else found(run("bad", **changed))
    )
    assert (one.kind, one.wrong, one.runs) == (kind, True, ("bad",))
    assert one.numbers
    assert one.why
    assert one.action


def test_what_is_not_known_is_none_and_never_nothing() -> None:
    (one,) = found(run(verdict="misbilled", charged=None))
    assert one.numbers["charged_usd"] is None


def test_only_some_of_many_runs_are_named_and_all_are_counted() -> None:
    (one,) = found(*(run(f"r{number}", verdict="unverified") for number in range(20)))
    assert one.numbers["runs"] == 20
    assert one.runs == ("r15", "r16", "r17", "r18", "r19")


@pytest.mark.parametrize("listed", [11.5, 12.0, 12.5])
def test_a_few_percent_between_two_tables_are_nothing(listed: float) -> None:
    assert found(run(listed=listed)) == []


@pytest.mark.parametrize(
    ("listed", "differs"), [(12.0, False), (18.0, False), (24.0, False), (26.0, True), (11.0, True)]
)
def test_a_model_that_charges_more_for_long_requests_may_cost_anything_between(
    listed: float, differs: bool
) -> None:
    assert kinds(found(run(model="tiered", listed=listed))) == (["cost_differs"] if differs else [])


def test_a_difference_names_the_model_and_both_numbers() -> None:
    (one,) = found(run(listed=15.0), run(listed=15.0), run(listed=12.0, comparable=False))
    assert (one.numbers["model"], one.numbers["runs"]) == ("known", 2)
    assert (one.numbers["cli_usd"], one.numbers["table_usd"]) == (30.0, 24.0)


def test_a_model_without_a_price_is_listed_and_compared_with_nothing() -> None:
    (one,) = found(run(model="nova", listed=99.0))
    assert (one.kind, one.wrong) == ("unpriced", False)
    assert "nova" in one.what


LATER = NOON + HOUR + SLACK_MS


@pytest.mark.parametrize(
    ("readings", "runs", "answers", "moved"),
    [
        ((limit(0.1, NOON), limit(0.3, LATER)), (), (), 0.2),
        ((limit(0.1, NOON), limit(0.2, LATER), limit(0.4, LATER + 1)), (), (), 0.3),
        ((limit(0.3, NOON), limit(0.3, LATER)), (), (), None),
        ((limit(0.3, NOON), limit(0.1, LATER)), (), (), None),
        ((limit(0.1, NOON), limit(0.105, LATER)), (), (), None),
        ((limit(0.1, NOON), limit(0.3, LATER, resets=RESETS + 1500)), (), (), 0.2),
        ((limit(0.1, NOON), limit(0.3, LATER, resets=RESETS + 5 * HOUR)), (), (), None),
        ((limit(0.1, NOON), limit(0.3, LATER, "seven_day")), (), (), None),
        ((limit(0.1, NOON), limit(0.3, LATER, source="rate_limit_event")), (), (), None),
        ((limit(0.1, NOON), limit(0.3, LATER)), (run(began=LATER - 10, ended=LATER + 10),), (), None),
        ((limit(0.1, NOON), limit(0.3, LATER)), (run(began=LATER - 10, ended=None),), (), None),
        ((limit(0.1, NOON), limit(0.3, LATER)), (run(began=LATER + 10, ended=LATER + 20),), (), 0.2),
        ((limit(0.1, NOON), limit(0.3, LATER)), (run(began=LATER - 10, verdict="nothing_sent"),), (), 0.2),
        ((limit(0.1, NOON), limit(0.3, LATER)), (), (NOON + HOUR,), None),
        ((limit(0.1, NOON), limit(0.3, LATER)), (), (NOON - SLACK_MS,), None),
        ((limit(0.1, NOON), limit(0.3, LATER)), (), (NOON - SLACK_MS - 1, LATER + HOUR), 0.2),
    ],
)
def test_a_share_that_moves_while_nothing_here_uses_it(
    readings: tuple[LimitFact, ...], runs: tuple[RunFact, ...], answers: tuple[int, ...], moved: float | None
) -> None:
    findings = found(*runs, limits=readings, others=tuple((at, part()) for at in answers))
    wrong = [each for each in findings if each.kind == "limit_moved"]
    assert len(wrong) == (moved is not None)
    if moved is not None:
        assert f"filled by {100 * moved:.0f} %" in wrong[0].what


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10 * HOUR)), max_size=12))
def test_readings_come_in_any_order_and_what_a_run_spans_is_always_explained(
    drawn: list[tuple[float, int]],
) -> None:
    readings = tuple(limit(used, NOON + at) for used, at in drawn)
    whole = run(began=NOON - 1, ended=NOON + 11 * HOUR)
    assert found(whole, limits=readings) == []
    alone = found(limits=readings)
    assert kinds(alone) in ([], ["limit_moved"])
    assert found(limits=tuple(reversed(readings))) == alone


def test_a_conversation_whose_transcript_vanished_is_named_until_the_cli_would_have_deleted_it() -> None:
    sessions = (SessionFact("s-1", "shop", NOON), SessionFact("s-2", "notes", NOON))
    (one,) = found(sessions=sessions, transcripts=frozenset({"s-2"}))
    assert (one.kind, one.wrong, one.numbers["first_session"]) == ("transcript_gone", True, "s-1")
    assert "shop" in one.what
    assert "notes" not in one.what
    assert found(sessions=sessions, now=NOON + 31 * 24 * HOUR) == []


def test_use_of_the_cli_by_itself_is_ordinary_and_comes_last() -> None:
    findings = found(run(verdict="unverified"), others=((NOON, part(3)), (NOON, part(1))))
    assert [(each.kind, each.wrong) for each in findings] == [("unverified", True), ("not_ours", False)]
    assert (findings[1].numbers["answers"], findings[1].numbers["list_price_usd"]) == (4, 1.0)
