"""``oneseat limits``."""

from __future__ import annotations

import sys
import time

import click

from oneseat.json_line import to_json
from oneseat.limits import Report, read_limits

from .limits_text import fields_of, limits_text, statusline
from .output import echo
from .prompt_argument import OptionalSeconds, OptionalSecondsCommand

#: Home, and away with what is below: a terminal shows the new report in the place of the old one.
_REDRAW = "\x1b[H\x1b[J"


class _Period(OptionalSeconds):
    """How often to look again."""

    alone = 10.0


@click.command(
    "limits",
    cls=OptionalSecondsCommand,
    epilog="""\b
Examples:
  oneseat limits
  oneseat limits --watch 60
  PS1='$(oneseat limits --statusline) $ '""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--statusline", "as_line", is_flag=True, help="Print one short line, for prompts and status bars."
)
@click.option(
    "--watch", cls=_Period, type=float, metavar="[SECONDS]", help="Print it again and again, until Ctrl-C."
)
def command(*, as_json: bool, as_line: bool, watch: float | None) -> int:
    """Show how full each usage window is, when it is reset, and how long it will last.

    All of it was reported to oneseat's own runs, with the age of each report; what nobody reported is unknown. Nothing is sent.
    """
    if as_json and as_line:
        raise click.UsageError("Choose one of `--json` and `--statusline`")
    form = _json if as_json else _line if as_line else _text
    if watch is None:
        echo(form(read_limits()))
        return 0
    try:
        while True:
            if sys.stdout.isatty():
                sys.stdout.write(_REDRAW)
            echo(form(read_limits()))
            time.sleep(watch)
    except KeyboardInterrupt:
        return 0


def _json(report: Report) -> bytes:
    return to_json(fields_of(report))


def _line(report: Report) -> str:
    return statusline(report)


def _text(report: Report) -> str:
    return limits_text(report)
