"""``oneseat usage``."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.audit import check_usage
from oneseat.app.usage import VIEWS, Filter, Report, read_usage, usage_report
from oneseat.cli.options.completing import completer
from oneseat.cli.options.days import Day, number_of
from oneseat.cli.output import complain, echo
from oneseat.cli.views.audit import check_text
from oneseat.cli.views.plot import plot_of, svg
from oneseat.cli.views.usage import report_text, rows_of, title_of
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.receipt import Wallet
from oneseat.contract.reports.usage import UsageReport, UsageSum

_FILTERS = ("project", "model", "wallet")
#: The exit codes of a run that another wallet paid for, and of an answer that cannot be trusted.
_MISBILLED, _NOT_TRUSTED = 4, 8
_OF_BLOCKS = ("ends_at", "end_reported")


@click.command(
    "usage",
    epilog="""\b
Views: daily (the default), weekly, monthly, sessions, projects, models,
wallets, keys, roles, clients, blocks (of five hours).

\b
Examples:
  oneseat usage
  oneseat usage models --since 7d
  oneseat usage monthly --csv > usage.csv
  oneseat usage --plot usage.svg
  oneseat usage --check --since 7d

\b
With --check the exit code is 0 when all adds up, 4 when another wallet than
expected paid, and 8 when something else does not add up.""",
)
@click.argument("view", type=click.Choice(VIEWS), default="daily", metavar="[VIEW]")
@click.option("--since", type=Day(), metavar="DAY", help="Only from this day on: 2026-11-20, 7d, 4w.")
@click.option("--until", type=Day(), metavar="DAY", help="Only up to this day, which is included.")
@click.option("--project", metavar="TEXT", help="Only projects with this text in their directory.")
@click.option(
    "--model",
    metavar="TEXT",
    shell_complete=completer("model"),
    help="Only models with this text in their name.",
)
@click.option(
    "--wallet",
    type=click.Choice(get_args(Wallet)),
    metavar="NAME",
    help="Only what this wallet paid for, such as plan or unknown.",
)
@click.option("--tz", "zone", metavar="ZONE", help="The time zone of days, such as Europe/Madrid.")
@click.option("--chart", is_flag=True, help="Print bars instead of a table.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Also draw it as SVG to this file."
)
@click.option(
    "--check", is_flag=True, help="Compare receipts, transcripts and limits, and show what does not add up."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with exact numbers.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values with exact numbers.")
def command(
    view: str,
    zone: str | None,
    *,
    chart: bool,
    plot: Path | None,
    check: bool,
    as_json: bool,
    as_csv: bool,
    **wanted: Any,
) -> None:
    """Add up tokens and list prices of oneseat's own runs and of the CLI's transcripts, each answer once.

    The list price is what the same tokens cost with an API key; on a plan it is not charged.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are mutually exclusive")
    if wanted["since"] and wanted["until"] and wanted["since"] > wanted["until"]:
        raise click.UsageError("--since is after --until")
    if check:
        others = (view != "daily", zone, chart, plot, as_csv, *(wanted[name] for name in _FILTERS))
        if any(others):
            raise click.UsageError("--check works with --since, --until and --json only")
        _check(wanted["since"], wanted["until"], as_json=as_json)
        return
    days: dict[str, Any] = {
        name: None if (day := wanted.pop(name)) is None else number_of(day) for name in ("since", "until")
    }
    report = read_usage(Installation(), view, Filter(**days, **wanted), zone)
    if plot is not None:
        _draw(report, plot)
    if as_json:
        echo(to_json(usage_report(report)))
    elif as_csv:
        echo(_csv(usage_report(report)), newline=False)
    else:
        echo(report_text(report, chart=chart, none=_none(wanted, days)))


def _none(*chosen: dict[str, Any]) -> str:
    """What is said where nothing was found: nothing at all, or nothing that fits the filters."""
    named = [f"--{name}" for filters in chosen for name, value in filters.items() if value is not None]
    return f"Nothing matches: {', '.join(named)}" if named else "No usage found."


def _check(since: date | None, until: date | None, *, as_json: bool) -> None:
    found = check_usage(Installation(), since, until)
    echo(to_json(found) if as_json else check_text(found))
    if any(each.kind == "misbilled" for each in found.findings):
        raise click.exceptions.Exit(_MISBILLED)
    if not found.adds_up:
        raise click.exceptions.Exit(_NOT_TRUSTED)


def _draw(report: Report, file: Path) -> None:
    try:
        file.write_text(svg(plot_of(title_of(report), rows_of(report))), "utf-8")
    except OSError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.output",
                message=f"Cannot write the picture: `{file}`\n  {error.strerror or error}",
            )
        ) from error
    complain(f"drawn: {file}\n")


def _csv(report: UsageReport) -> str:
    text = io.StringIO()
    names = [name for name in UsageSum.__struct_fields__ if report.view == "blocks" or name not in _OF_BLOCKS]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        fields = msgspec.to_builtins(row)
        # A spreadsheet runs what begins like a formula, and a directory may.
        if fields["key"].startswith(("=", "+", "-", "@", "\t")):
            fields["key"] = f"'{fields['key']}"
        writer.writerow({**fields, "unpriced_tokens": sum(row.unpriced_tokens.values())})
    return text.getvalue()
