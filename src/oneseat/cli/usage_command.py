"""``oneseat usage``."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any, get_args

import click

from oneseat._util.json import to_json
from oneseat._util.time import iso
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.receipt import Wallet
from oneseat.rules.usage import KINDS, Block, Filter, Sum, date_text
from oneseat.usage import VIEWS, Report, read_usage

from .days import Day, number_of
from .output import complain, echo
from .usage_plot import plot_of, svg
from .usage_text import report_text, rows_of, title_of

_FILTERS = ("project", "model", "wallet")


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
planned was paying, and 8 when something else does not add up.""",
)
@click.argument("view", type=click.Choice(VIEWS), default="daily", metavar="[VIEW]")
@click.option("--since", type=Day(), metavar="DAY", help="Only from this day on: 2026-11-20, 7d, 4w.")
@click.option("--until", type=Day(), metavar="DAY", help="Only up to this day, which is included.")
@click.option("--project", metavar="TEXT", help="Only projects with this in their directory.")
@click.option("--model", metavar="TEXT", help="Only models with this in their name.")
@click.option(
    "--wallet",
    type=click.Choice(get_args(Wallet)),
    metavar="NAME",
    help="Only what was paid from this wallet, such as plan or unknown.",
)
@click.option("--tz", "zone", metavar="ZONE", help="The time zone of days, such as Europe/Madrid.")
@click.option("--chart", is_flag=True, help="Print bars instead of a table.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Also draw it into this SVG file."
)
@click.option(
    "--check", is_flag=True, help="Say what does not add up between receipts, transcripts and limits."
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
    """Add up what was used, by oneseat's own runs and in the CLI's transcripts, each answer once.

    The list price is what the same tokens cost by the key; on a plan it is not charged.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot be had at once")
    if wanted["since"] and wanted["until"] and wanted["since"] > wanted["until"]:
        raise click.UsageError("--since is after --until")
    if check:
        others = (view != "daily", zone, chart, plot, as_csv, *(wanted[name] for name in _FILTERS))
        if any(others):
            raise click.UsageError("--check can be had with --since, --until and --json only")
        _check(wanted["since"], wanted["until"], as_json=as_json)
        return
    days: dict[str, Any] = {
        name: None if (day := wanted.pop(name)) is None else number_of(day) for name in ("since", "until")
    }
    report = read_usage(view, Filter(**days, **wanted), zone)
    if plot is not None:
        _draw(report, plot)
    if as_json:
        echo(to_json(fields_of(report)))
    elif as_csv:
        echo(_csv(report), newline=False)
    else:
        echo(report_text(report, chart=chart))


def _check(since: date | None, until: date | None, *, as_json: bool) -> None:
    from oneseat.reconciliation import check_usage  # noqa: PLC0415 - loads the ledger, which a sum does not need

    from .usage_check import check_code, check_text  # noqa: PLC0415 - as above

    found = check_usage(since, until)
    echo(to_json(found) if as_json else check_text(found))
    if code := check_code(found):
        raise click.exceptions.Exit(code)


def _draw(report: Report, file: Path) -> None:
    try:
        file.write_text(svg(plot_of(title_of(report), rows_of(report))), "utf-8")
    except OSError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.output",
                message=f"The picture cannot be written: `{file}`\n  {error.strerror or error}",
            )
        ) from error
    complain(f"drawn: {file}\n")


def fields_of(report: Report) -> dict[str, Any]:
    """The object of ``--json``."""
    return {
        "view": report.view,
        "time_zone": report.zone,
        "first_day": _day(report.first),
        "last_day": _day(report.last),
        "rows": [*_named_rows(report)],
        "total": _sum_fields(report.total),
        "not_read": report.notes,
    }


def _named_rows(report: Report) -> list[dict[str, Any]]:
    if report.view == "blocks":
        return [{**_block_fields(block), **_sum_fields(block.sum)} for block in report.blocks]
    labels = [label for label, _ in rows_of(report)]
    return [
        {"key": label, **_sum_fields(found)} for label, (_, found) in zip(labels, report.rows, strict=True)
    ]


def _block_fields(block: Block) -> dict[str, Any]:
    begin, end = iso(block.begin // 1000), iso(block.end // 1000)
    return {"key": begin, "ends_at": end, "end_reported": block.reported}


def _sum_fields(found: Sum) -> dict[str, Any]:
    return {
        "answers": found.answers,
        **{f"{kind}_tokens": count for kind, count in zip(KINDS, found.tokens, strict=True)},
        "at_least": found.at_least,
        "list_price_usd": found.listed,
        "unpriced_tokens": found.unpriced,
        "charged_usd": found.charged,
        "charge_known_answers": found.settled,
        "saved_usd": found.saved,
        "special_rate_answers": found.special,
    }


def _csv(report: Report) -> str:
    rows = _named_rows(report)
    names = list(rows[0]) if rows else ["key", *_sum_fields(Sum())]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        # A spreadsheet would run what begins like a formula; a directory may.
        key = row["key"] if row["key"][:1] not in "=+-@\t" or row["key"][:1] == "" else f"'{row['key']}"
        writer.writerow({**row, "key": key, "unpriced_tokens": sum(row["unpriced_tokens"].values())})
    return text.getvalue()


def _day(day: int | None) -> str | None:
    return None if day is None else date_text(day)
