"""The benchmarks tell the truth: rounds are fair, ratios are paired, a missed goal and a peer's win are printed as such."""

from __future__ import annotations

import sys

import pytest

from bench.harness import Figure, Goal, Measure, Spread, compare, race
from bench.processes import BrokenRunError, measure
from bench.report import cells, page, terminal

ENV = {"PATH": "/usr/bin:/bin"}


def test_everybody_runs_once_per_round_and_nobody_always_first() -> None:
    order: list[str] = []

    def contestant(name: str) -> Measure:
        def take() -> float:
            order.append(name)
            return float(len(order))

        return take

    samples = race({name: contestant(name) for name in "abc"}, rounds=3, warm_up=0)
    assert "".join(order) == "abc" + "bca" + "cab"
    assert samples == {"a": [1.0, 6.0, 8.0], "b": [2.0, 4.0, 9.0], "c": [3.0, 5.0, 7.0]}


def test_warm_up_rounds_are_run_and_thrown_away() -> None:
    values = iter([9.0, 1.0, 2.0])
    assert race({"a": lambda: next(values)}, rounds=2, warm_up=1) == {"a": [1.0, 2.0]}


def test_ratios_are_made_within_a_round() -> None:
    # The machine was ten times slower in the second round, for both: the ratio must not notice.
    figure = compare("x", "ms", {"ours": [10.0, 100.0], "peer": [20.0, 200.0]}, "ours", "peer")
    assert figure.ratio == Spread(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("ours", "goal", "more_is_better", "verdict"),
    [
        (10.0, Goal(0.2), False, "reached"),
        (30.0, Goal(0.2), False, "failed"),
        (30.0, Goal(40, of="figure"), False, "reached"),
        (50.0, Goal(40, of="figure"), False, "failed"),
        (600.0, Goal(6, more_is_better=True), True, "reached"),
        (599.0, Goal(6, more_is_better=True), True, "failed"),
        (50.0, None, False, "ours is better"),
        (200.0, None, False, "the peer is better"),
        (200.0, None, True, "ours is better"),
        (50.0, None, True, "the peer is better"),
        (101.0, None, False, "even"),
    ],
)
def test_verdicts(ours: float, goal: Goal | None, more_is_better: bool, verdict: str) -> None:
    samples = {"ours": [ours], "peer": [100.0]}
    figure = compare("x", "ms", samples, "ours", "peer", goal=goal, more_is_better=more_is_better)
    assert figure.verdict == verdict


def test_a_missed_goal_and_a_peers_win_are_on_the_page() -> None:
    lost = compare("cold run", "ms", {"ours": [300.0], "peer": [150.0]}, "ours", "peer", goal=Goal(0.5))
    alone = Figure("start", "ms", Spread(1.0, 2.0, 3.0))
    text = page({"cold": ("What it does.", [lost, alone])}, {"machine": "two cores"})
    assert "| cold run, ms | 300 | peer | 150 | 2.00 | at most 0.500x | failed; the peer is better |" in text
    assert "| start, ms | 2.0 (1.0 to 3.0) | - | - | - | - | - |" in text
    assert "| machine | two cores |" in text
    assert cells(lost)[-1] in terminal([lost])


def test_a_process_that_fails_or_says_the_wrong_thing_has_no_figure() -> None:
    with pytest.raises(BrokenRunError, match="exit code 3"):
        measure([sys.executable, "-c", "raise SystemExit(3)"], ENV)
    with pytest.raises(BrokenRunError, match="exit code 0"):
        measure([sys.executable, "-c", "print('no')"], ENV, expect="yes")


def test_cpu_and_wall_are_those_of_the_process() -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass\nprint('done')"
    done = measure([sys.executable, "-c", busy], ENV, expect="done")
    assert 0.2 <= done.cpu_s < 5
    assert done.wall_s >= 0.2
