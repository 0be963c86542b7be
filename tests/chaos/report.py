"""The figures of a campaign, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .campaign import Outcome


def report(outcomes: Sequence[Outcome], seconds: float) -> str:
    """What was done and what was found, in lines."""
    survivors = sum("survivor" in found for it in outcomes for found in it.findings)
    findings = sum(bool(it.findings) for it in outcomes)
    struck = [it for it in outcomes if it.hit]
    slowest = max(outcomes, key=lambda it: it.clean_up_s)
    lines = [
        f"{sum(it.hit for it in outcomes)} kills in {len(outcomes)} tries and {seconds:.0f} s; the other runs were over before",
        f"tries with a finding: {findings}; survivors: {survivors}",
        f"slowest clean-up (start of the next command to its end): {slowest.clean_up_s:.2f} s, try {slowest.plan.number}",
        f"median clean-up: {sorted(it.clean_up_s for it in outcomes)[len(outcomes) // 2]:.2f} s",
        "",
        *_table("by what was struck", [(it.plan.blow.name, it.status) for it in struck]),
        *_table("by what was going on", [(it.plan.play.name, it.status) for it in struck]),
        *_table(
            "by how far the run had come",
            [(it.run.phase if it.run else "no run", it.status) for it in struck],
        ),
        *_table("by the next start", [(it.plan.following, it.status) for it in struck]),
    ]
    return "\n".join(lines)


def finding(outcome: Outcome, seed: int) -> str:
    """What is wrong with one try, and how to see it again."""
    plan = outcome.plan
    head = f"try {plan.number}: {plan.play.name}, {plan.blow.name} after {outcome.after_s:.3f} s, then {plan.following}"
    lines = [head, *(f"  {found[:700]}" for found in outcome.findings)]
    return "\n".join([*lines, f"  again: make chaos ARGS='--seed {seed} --only {plan.number}'"])


def _table(title: str, pairs: Sequence[tuple[str, str]]) -> list[str]:
    counted = Counter(pairs)
    rows = sorted({row for row, _ in pairs})
    columns = sorted({column for _, column in pairs})
    width = max(map(len, (*rows, title)))
    lines = [f"{title:<{width}}  {'kills':>6}" + "".join(f"  {column:>10}" for column in columns)]
    for row in rows:
        cells = [counted[row, column] for column in columns]
        lines.append(f"{row:<{width}}  {sum(cells):>6}" + "".join(f"  {cell:>10}" for cell in cells))
    return [*lines, ""]
