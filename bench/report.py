"""Figures as text for a terminal and as the page docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .harness import Figure, Goal, Spread

_HEAD = """# Performance

Written by `make bench`; edit the benchmarks in `bench/`, not this page.

Every figure is median (least to most). Ours and the peer's are measured in the same rounds, in turns, on the same
official CLI; a ratio is ours divided by theirs within a round, so a slow machine slows both. A goal that was
missed says *failed*, and where the peer has the better figure the page says so. Absolute figures belong to the machine
below; ratios are comparable across machines.
"""


def number(value: float, unit: str) -> str:
    """A value with its significant digits."""
    if unit == "x":
        return f"{value:.3f}" if value < 1 else f"{value:.2f}"
    if unit in {"bytes", "requests", "events/s", "tokens"} or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}"


def spread(value: Spread | None, unit: str) -> str:
    """Median, minimum and maximum; one number if they are the same."""
    if value is None:
        return "-"
    if value.least == value.most:
        return number(value.middle, unit)
    return f"{number(value.middle, unit)} ({number(value.least, unit)} to {number(value.most, unit)})"


def goal_text(goal: Goal | None, unit: str) -> str:
    """A goal as text."""
    if goal is None:
        return "-"
    sign = "at least" if goal.more_is_better else "at most"
    return f"{sign} {number(goal.bound, 'x' if goal.of == 'ratio' else unit)}{'x' if goal.of == 'ratio' else f' {unit}'}"


def verdict_text(figure: Figure) -> str:
    """Whether the goal was reached, and the winner if it was the peer."""
    if figure.goal is not None and figure.peer_wins:
        return f"{figure.verdict}; the peer is better"
    return figure.verdict or "-"


def cells(figure: Figure) -> list[str]:
    """One line of the table."""
    return [
        f"{figure.what}, {figure.unit}",
        spread(figure.ours, figure.unit),
        figure.peer or "-",
        spread(figure.theirs, figure.unit),
        spread(figure.ratio, "x"),
        goal_text(figure.goal, figure.unit),
        verdict_text(figure),
    ]


_COLUMNS = ["what", "oneseat", "beside", "theirs", "ratio", "goal", "verdict"]


def terminal(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    rows = [_COLUMNS, *(cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def page(sections: Mapping[str, tuple[str, Sequence[Figure]]], machine: Mapping[str, str]) -> str:
    """The whole page: the machine, then each benchmark with what it does and its figures."""
    parts = [_HEAD, "| | |\n|---|---|", *(f"| {name} | {value} |" for name, value in machine.items())]
    for title, (what_it_does, figures) in sections.items():
        rows = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
        rows += ["| " + " | ".join(cells(figure)) + " |" for figure in figures]
        parts.append(f"\n## {title}\n\n{what_it_does}\n\n" + "\n".join(rows))
    return "\n".join(parts) + "\n"
