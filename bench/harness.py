"""Measuring side by side: everybody once per round, in turns, so that a noisy minute hits all of them alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

Measure = Callable[[], float]
Verdict = Literal["reached", "failed", "ours is better", "the peer is better", "even", ""]
#: A difference below this share is noise on a shared machine, and nobody's win.
_EVEN = 0.03


class Spread(NamedTuple):
    """Samples as the reports show them."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """The spread of at least one sample."""
        return cls(min(samples), median(samples), max(samples))


class Goal(NamedTuple):
    """What a figure should reach. ``of`` says whether it bounds the ratio to the peer or our own figure."""

    bound: float
    of: Literal["ratio", "figure"] = "ratio"
    more_is_better: bool = False

    def reached(self, value: float) -> bool:
        """Whether ``value`` is good enough."""
        return value >= self.bound if self.more_is_better else value <= self.bound


class Figure(NamedTuple):
    """One line of the report: ours, and beside it the peer's where there is one. ``ratio`` is ours divided by theirs, by round."""

    what: str
    unit: str
    ours: Spread
    peer: str = ""
    theirs: Spread | None = None
    ratio: Spread | None = None
    goal: Goal | None = None
    more_is_better: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the goal was reached; without a goal, who is better."""
        if self.goal is not None:
            judged = self.ratio if self.goal.of == "ratio" else self.ours
            return "reached" if judged is not None and self.goal.reached(judged.middle) else "failed"
        if self.ratio is None:
            return ""
        if abs(self.ratio.middle - 1) <= _EVEN:
            return "even"
        return "ours is better" if (self.ratio.middle > 1) is self.more_is_better else "the peer is better"

    @property
    def peer_wins(self) -> bool:
        """Whether the peer has the better figure, whatever the goal was."""
        return self.ratio is not None and (
            self.ratio.middle < 1 - _EVEN if self.more_is_better else self.ratio.middle > 1 + _EVEN
        )


def race(contestants: Mapping[str, Measure], rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Measure everybody ``rounds`` times. The order turns by one each round, so nobody always goes first.

    The first ``warm_up`` rounds fill caches (bytecode, pages of big programs) and are thrown away.
    """
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(warm_up + rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            sample = contestants[name]()
            if number >= warm_up:
                samples[name].append(sample)
        progress(f"round {number + 1} of {warm_up + rounds}")
    return samples


def compare(
    what: str,
    unit: str,
    samples: Mapping[str, Sequence[float]],
    ours: str,
    peer: str,
    *,
    goal: Goal | None = None,
    more_is_better: bool = False,
) -> Figure:
    """Our samples beside one peer's. Ratios are made within a round and only then summed up: noise in common cancels out."""
    ratios = [mine / theirs for mine, theirs in zip(samples[ours], samples[peer], strict=True)]
    return Figure(
        what,
        unit,
        Spread.of(samples[ours]),
        peer,
        Spread.of(samples[peer]),
        Spread.of(ratios),
        goal,
        more_is_better,
    )


def progress(text: str) -> None:
    """Show that something goes on, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
