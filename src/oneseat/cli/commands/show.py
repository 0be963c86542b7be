"""``oneseat show``."""

from __future__ import annotations

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.runs import find_run
from oneseat.cli.options.completing import completer
from oneseat.cli.output import echo
from oneseat.cli.views.runs import run_text


@click.command(
    "show",
    epilog="""\b
Examples:
  oneseat show 4f2a
  oneseat show 4f2a --json""",
)
@click.argument("run", shell_complete=completer("run"))
@click.option(
    "--events", "only_events", is_flag=True, help="Print only the events, one JSON object per line."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: run, result, events, policy inputs."
)
def command(run: str, only_events: bool, as_json: bool) -> None:
    """Print one run with its events and evidence. RUN is its id or the beginning of its id."""
    report = find_run(Installation(), run)
    if as_json:
        echo(to_json(report))
    elif only_events:
        for event in report.events:
            echo(to_json(event))
    else:
        echo(run_text(report))
