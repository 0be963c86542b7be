"""``oneseat advise``."""

from __future__ import annotations

from datetime import date

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.advice import FILE_NAME, read_advice
from oneseat.cli.options.days import Day, number_of, today
from oneseat.cli.output import echo
from oneseat.cli.views.advice import advice_text

_DAYS = 30


@click.command(
    "advise",
    epilog=f"""\b
Plans, thresholds and models to compare with are data. The file {FILE_NAME} in
oneseat's configuration folder adds entries, or replaces them by id:
  {{"plans": [{{"id": "mine", "name": "Mine", "price_usd_month": 15,
    "api_credit_usd": null, "source": "my invoice", "as_of": "2026-11-20"}}]}}
Its lists are plans, classes, alternatives, requests and notices.

\b
Examples:
  oneseat advise
  oneseat advise --days 90
  oneseat advise --since 2026-11-01 --json""",
)
@click.option("--since", type=Day(), metavar="DAY", help="Measure from this day: 2026-11-20, 7d, 4w.")
@click.option("--until", type=Day(), metavar="DAY", help="Measure up to and including this day.")
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N", help=f"Measure N days, {_DAYS} by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with exact numbers.")
def command(since: date | None, until: date | None, days: int | None, *, as_json: bool) -> None:
    """Compare what your work costs by API key and on each plan, from what was measured.

    Nothing is sent anywhere. Every number has its source and its date; what is unknown is called unknown.
    """
    if since is not None and days is not None:
        raise click.UsageError("--since and --days are mutually exclusive")
    last = number_of(min(until, today()) if until is not None else today())
    first = number_of(since) if since is not None else last - (days or _DAYS) + 1
    if first > last:
        raise click.UsageError("--since is after --until, or after today")
    advice = read_advice(Installation(), first, last)
    echo(to_json(advice) if as_json else advice_text(advice))
