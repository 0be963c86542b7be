"""``oneseat usage --check``: what does not add up, for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from oneseat.contract.reports.audit import CheckReport, Finding

from .usage_text import NOTES

_WIDTH = 80
_INDENT = " " * 8
#: The same numbers as for a run, so that scripts know them already: another wallet paid; what is recorded cannot be trusted.
_MISBILLED, _NOT_TRUSTED = 4, 8
_LOOKED_AT = {
    "runs": "runs",
    "other_answers": "answers of the CLI by itself",
    "limit_readings": "readings of limits",
    "conversations": "conversations",
}


def check_code(report: CheckReport) -> int:
    """The exit code of a check: 0 when all adds up."""
    if any(each.kind == "misbilled" for each in report.findings):
        return _MISBILLED
    return 0 if report.adds_up else _NOT_TRUSTED


def check_text(report: CheckReport) -> str:
    """The whole check."""
    looked = ", ".join(f"{_LOOKED_AT[name]} {count:,}" for name, count in report.checked.items())
    lines = textwrap.wrap(f"Compared: {looked}", _WIDTH)
    for each in report.findings:
        lines += ["", *_finding(each)]
    lines += [""]
    for reason, count in report.not_read.items():
        lines.append(f"not read: {NOTES.get(reason, reason)}" + (f" ({count:,} times)" if count > 1 else ""))
    wrong = sum(each.wrong for each in report.findings)
    lines.append(
        "all adds up"
        if report.adds_up
        else f"{wrong} thing{'' if wrong == 1 else 's'} {'does' if wrong == 1 else 'do'} not add up"
    )
    return "\n".join(lines)


def _finding(each: Finding) -> Iterator[str]:
    head = ("WRONG" if each.wrong else "note").ljust(len(_INDENT))
    yield from _wrapped(each.what, head)
    yield from _wrapped(
        ", ".join(f"{_name(name)} {_number(name, value)}" for name, value in each.numbers.items())
    )
    if each.runs:
        yield from _wrapped(f"runs: {' '.join(each.runs)}")
    yield from _wrapped(f"why: {each.why}")
    yield from _wrapped(f"do: {each.action}")


def _name(name: str) -> str:
    return name.removesuffix("_usd").removesuffix("_ms").replace("_", " ")


def _number(name: str, value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "unknown"
    if name.endswith("_ms"):
        return f"{datetime.fromtimestamp(value / 1000).astimezone():%Y-%m-%d %H:%M}"
    if name.endswith("_usd"):
        return f"${value:.4f}"
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.0f}%"


def _wrapped(text: str, first: str = _INDENT) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=_INDENT, break_on_hyphens=False
    )
