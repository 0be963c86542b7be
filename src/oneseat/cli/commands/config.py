"""``oneseat config``."""

from __future__ import annotations

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.settings import broken_settings, check_settings, list_settings, settings_path, toml
from oneseat.cli.output import complain, echo
from oneseat.cli.terminal.editor import open_editor
from oneseat.cli.views.settings import check_text, chosen_text, list_text
from oneseat.cli.views.table import plural
from oneseat.contract.errors import ErrorInfo, UsageError, exit_code


@click.group(
    "config",
    epilog="""\b
Examples:
  oneseat config check
  oneseat config show --json
  oneseat config edit""",
)
def command() -> None:
    """Check your settings, show what is in force, and edit them."""


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
    """List everything that is wrong in the settings files and variables, and what they name in vain, each with its place."""
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
    wrong = broken_settings(Installation())
    if wrong:
        complain(f"note: no run can start, see `oneseat config check`: {plural(wrong, 'finding')}\n")
    return exit_code("usage.bad_setting") if wrong else 0


@command.command("path")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: also the project's file.")
def path(*, as_json: bool) -> None:
    """Print where your settings file is, whether it exists or not."""
    found = settings_path(Installation())
    echo(to_json(found) if as_json else found.file)
    if not (as_json or found.exists):
        complain("note: it does not exist yet; to create it: `oneseat init`\n")


@command.command(
    "edit",
    epilog="""\b
Example:
  EDITOR=nano oneseat config edit""",
)
def edit() -> int:
    """Open your settings file in your editor (VISUAL, else EDITOR), then check it."""
    found = settings_path(Installation())
    if not found.exists:
        raise UsageError(
            ErrorInfo(
                code="usage.bad_settings_file",
                message=f"There is no settings file to edit: `{found.file}`",
                hint="Create it: `oneseat init`",
            )
        )
    open_editor(found.file)
    checked = check_settings(Installation())
    echo(check_text(checked))
    return exit_code("usage.bad_setting") if checked.findings else 0
