"""``oneseat status``."""

from __future__ import annotations

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.server import server_status
from oneseat.cli.output import echo
from oneseat.cli.views.status import status_text


@click.command(
    "status",
    epilog="""\b
Examples:
  oneseat status
  oneseat status --json""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Show whether a server is running, its runs, and why a command last ran without it."""
    report = server_status(Installation())
    echo(to_json(report) if as_json else status_text(report))
