"""Measures candidates in rounds, each once per round, so that a noisy minute affects all of them alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

Measure = Callable[[], float]
Verdict = Literal["reached", "failed", "ours is better", "the peer is better", "even", ""]
#: A difference below this share is noise on a shared machine and counts as a tie.
_EVEN = 0.03


class Spread(NamedTuple):
    """The statistics of samples that the reports show."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """The spread of at least one sample."""
        return cls(min(samples), median(samples), max(samples))


class Goal(NamedTuple):
    """The goal of a figure. ``of`` says whether it limits the ratio to the peer or our own figure."""

    bound: float
    of: Literal["ratio", "figure"] = "ratio"
    more_is_better: bool = False

    def reached(self, value: float) -> bool:
        """Whether ``value`` reaches the goal."""
        return value >= self.bound if self.more_is_better else value <= self.bound


class Figure(NamedTuple):
    """One line of the report: our figure, and the peer's if there is one. ``ratio`` is ours divided by theirs, per round."""

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
        """Whether the goal was reached; without a goal, which one is better."""
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
        """Whether the peer has the better figure, independent of the goal."""
        return self.ratio is not None and (
            self.ratio.middle < 1 - _EVEN if self.more_is_better else self.ratio.middle > 1 + _EVEN
        )


def race(contestants: Mapping[str, Measure], rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """Measure all candidates ``rounds`` times. The order rotates each round, so that none always goes first.

    The first ``warm_up`` rounds fill caches (bytecode, pages of large programs) and are discarded.
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
    """Compare our samples with a peer's. Ratios are computed per round before they are summarised: common noise cancels out."""
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
    """Show progress, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
