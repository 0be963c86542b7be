"""The owner's API keys, without a value of any."""

from __future__ import annotations

from oneseat.contract.reports.keys import KeyList, KeyState

from .table import table


def list_text(report: KeyList) -> str:
    """One key a line."""
    rows = [("name", "provider", "place", "there"), *map(_row, report.keys)]
    return "\n".join(table(rows, head=True))


def _row(state: KeyState) -> tuple[str, ...]:
    if state.problem is not None:
        # The reason stands behind where the file was set.
        why = state.problem.message.partition("\n  ")[2].removeprefix(f"set in `keys.{state.name}.file`; ")
        there = "unknown: " + why.partition(";")[0]
    else:
        there = "yes" if state.present else "no" if state.needed else "-"
    return state.name, state.provider, state.place, there
