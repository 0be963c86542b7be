"""``oneseat show``."""

from __future__ import annotations

import click

from oneseat import api
from oneseat._util.json import to_json
from oneseat.contract.reports.runs import ResultReport, RunReport

from .output import echo
from .views.runs import run_text


@click.command(
    "show",
    epilog="""\b
Examples:
  oneseat show 4f2a
  oneseat show 4f2a --json""",
)
@click.argument("run")
@click.option("--events", "only_events", is_flag=True, help="Only the events, whole, one JSON object a line.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: run, result, events, policy inputs."
)
def command(run: str, only_events: bool, as_json: bool) -> None:
    """Print one run with its events and evidence. RUN is its id or the beginning of it."""
    with api.read_ledger() as ledger:
        stored = ledger.run(run)
        events = list(ledger.events(stored.summary.id))
    report = RunReport(
        run=stored.summary,
        result=None if stored.result is None else ResultReport.of(stored.result),
        events=tuple(events),
        policy_inputs=stored.policy_inputs,
    )
    if as_json:
        echo(to_json(report))
    elif only_events:
        for event in events:
            echo(to_json(event))
    else:
        echo(run_text(report))
