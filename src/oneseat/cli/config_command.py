"""``oneseat config``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from oneseat._util.json import to_json
from oneseat.configuration import Finding, Inspected, inspect_settings, toml
from oneseat.contract.errors import exit_code

from .log_command import table
from .output import complain, echo


@click.group(
    "config",
    epilog="""\b
Examples:
  oneseat config check
  oneseat config show --json""",
)
def command() -> None:
    """Check your settings, and show what is in force."""


@command.command(
    "check",
    epilog="""\b
Examples:
  oneseat config check
  oneseat config check --json

Exit codes: 0 nothing wrong, 2 something is.""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(*, as_json: bool) -> int:
    """Name everything that is wrong in the settings files and variables, each with its place."""
    seen = inspect_settings()
    if as_json:
        echo(to_json({"files": seen.files, "findings": [_fields(finding) for finding in seen.findings]}))
    elif seen.findings:
        echo("\n".join(line for finding in seen.findings for line in _lines(finding)))
        echo(_count(len(seen.findings), "finding"))
    else:
        echo(_summary(seen))
    return exit_code("usage.bad_setting") if seen.findings else 0


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(*, as_json: bool) -> int:
    """Show every setting in force here, with its value and where that comes from."""
    seen = inspect_settings()
    if as_json:
        echo(to_json({"files": seen.files, "settings": seen.settings}))
    else:
        rows = [(each.name, toml(each.value), each.source) for each in seen.settings]
        echo(table([("setting", "value", "from"), *rows]))
    if seen.findings:
        complain(
            f"note: {_count(len(seen.findings), 'finding')}, and no run begins: `oneseat config check`\n"
        )
    return exit_code("usage.bad_setting") if seen.findings else 0


def _lines(finding: Finding) -> Iterator[str]:
    place = ":".join(str(part) for part in (finding.file, finding.line, finding.column) if part is not None)
    yield f"{place or 'environment'}: {finding.error.message}"
    if finding.error.hint is not None:
        yield f"  hint: {finding.error.hint}"


def _fields(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.error.code,
        "message": finding.error.message,
        "hint": finding.error.hint,
    }


def _summary(seen: Inspected) -> str:
    chosen = [each for each in seen.settings if each.source != "default"]
    lines = [f"nothing wrong in {', '.join(seen.files)}" if seen.files else "no settings file: defaults hold"]
    if chosen:
        lines.append(table([(each.name, toml(each.value), each.source) for each in chosen]))
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
