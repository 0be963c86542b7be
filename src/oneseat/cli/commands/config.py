"""``oneseat config``."""

from __future__ import annotations

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.settings import check_settings, list_settings, toml
from oneseat.cli.output import complain, echo
from oneseat.cli.views.settings import check_text, chosen_text, list_text
from oneseat.cli.views.table import plural
from oneseat.contract.errors import exit_code


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

Exit codes: 0 nothing is wrong, 2 something is.""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(*, as_json: bool) -> int:
    """List everything that is wrong in the settings files and variables, each with its place."""
    found = check_settings(Installation())
    echo(to_json(found) if as_json else check_text(found))
    if found.findings:
        return exit_code("usage.bad_setting")
    chosen = None if as_json else chosen_text(list_settings(Installation()), toml)
    if chosen is not None:
        echo(chosen)
    return 0


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(*, as_json: bool) -> int:
    """Show every setting in force here, with its value and its source."""
    report = list_settings(Installation())
    echo(to_json(report) if as_json else list_text(report, toml))
    wrong = len(check_settings(Installation()).findings)
    if wrong:
        complain(f"note: no run can start, see `oneseat config check`: {plural(wrong, 'finding')}\n")
    return exit_code("usage.bad_setting") if wrong else 0
