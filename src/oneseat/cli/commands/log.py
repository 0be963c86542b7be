"""``oneseat log``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.runs import find_runs
from oneseat.cli.options.days import Moment
from oneseat.cli.output import complain, echo
from oneseat.cli.views.footnotes import not_read
from oneseat.cli.views.runs import list_text
from oneseat.contract.history import RunFilter
from oneseat.contract.receipt import Wallet

_FILTERS = ("status", "since", "until", "wallet", "error")


@click.command(
    "log",
    epilog="""\b
Examples:
  oneseat log --since 2d --status failed
  oneseat log --error billing
  oneseat log -n 1000 --json

`oneseat show RUN` prints one run in full.""",
)
@click.option(
    "--status",
    type=click.Choice(["completed", "refused", "failed", "cancelled", "running"]),
    help="Only runs with this status.",
)
@click.option("--since", type=Moment(), metavar="WHEN", help="Only runs since then: 2026-11-20, 3h, 2d.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Only runs before then.")
@click.option(
    "--wallet",
    type=click.Choice(get_args(Wallet)),
    metavar="NAME",
    help="Only runs that this wallet paid for, such as plan or api_key.",
)
@click.option(
    "--dir", "cwd", type=click.Path(path_type=Path), help="Only runs in this directory or below it."
)
@click.option("--error", metavar="CODE", help="Only runs whose error code begins with this.")
@click.option(
    "-n",
    "--limit",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="List at most N runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all fields.")
def command(as_json: bool, cwd: Path | None, **wanted: object) -> None:
    """List past runs, newest first, and who paid for them."""
    where = str(cwd) if cwd is not None else None
    report = find_runs(Installation(), RunFilter(cwd=where, **wanted))  # type: ignore[arg-type]
    if as_json:
        echo(to_json(report))
    elif report.runs:
        echo(list_text(report))
    elif any(value is not None for value in (where, *(wanted[name] for name in _FILTERS))):
        complain(f"No run matches: {_named(cwd, wanted)}\n")
    elif report.not_read:
        complain("\n".join(not_read(report.not_read)) + "\n")
    else:
        complain('No runs yet. Start one: oneseat run "say hello"\n')


def _named(cwd: Path | None, wanted: dict[str, object]) -> str:
    options = {**{name: wanted[name] for name in _FILTERS}, "dir": cwd}
    return ", ".join(f"--{name}" for name, value in options.items() if value is not None)
