"""What `oneseat usage --check` found."""

from __future__ import annotations

from collections.abc import Iterator

from oneseat.cli.screen import styled
from oneseat.contract.reports.audit import CheckReport, Finding

from .footnotes import not_read
from .numbers import percent, usd
from .table import padded, plural
from .text import wrapped
from .timefmt import local_time_of

_INDENT = " " * 8
_COMPARED = {
    "runs": "runs",
    "other_answers": "answers outside oneseat",
    "limit_readings": "readings of limits",
    "conversations": "conversations",
}


def check_text(report: CheckReport) -> str:
    """The whole check."""
    compared = ", ".join(f"{_COMPARED[name]} {count:,}" for name, count in report.checked.items())
    lines = wrapped(f"Compared: {compared}")
    for each in report.findings:
        lines += ["", *_finding(each)]
    wrong = sum(each.wrong for each in report.findings)
    verdict = "all adds up" if report.adds_up else f"{plural(wrong, 'finding')} to look at"
    return "\n".join([*lines, "", *not_read(report.not_read), verdict])


def _finding(each: Finding) -> Iterator[str]:
    mark = styled("WRONG", "bad") if each.wrong else "note"
    yield from wrapped(each.what, _INDENT, padded(mark, len(_INDENT)))
    numbers = ", ".join(f"{_name(name)} {_number(name, value)}" for name, value in each.numbers.items())
    yield from wrapped(numbers, _INDENT)
    if each.runs:
        yield from wrapped(f"runs: {' '.join(each.runs)}", _INDENT)
    yield from wrapped(f"why: {each.why}", _INDENT)
    yield from wrapped(f"do: {each.action}", _INDENT)


def _name(name: str) -> str:
    return name.removesuffix("_usd").removesuffix("_ms").replace("_", " ")


def _number(name: str, value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "unknown"
    if name.endswith("_ms"):
        return local_time_of(value)
    if name.endswith("_usd"):
        return usd(value)
    return f"{value:,}" if isinstance(value, int) else percent(value)
