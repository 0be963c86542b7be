"""``oneseat limits``."""

from __future__ import annotations

import select
import sys
import time
from typing import Any

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.limits import ask_codex_limits, ask_limits, estimate_tokens, read_limits
from oneseat.cli.options.prompt import OptionalSeconds, OptionalSecondsCommand
from oneseat.cli.output import CANCELLED, can_be_left, complain, echo
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.views.limits import limits_text, statusline
from oneseat.contract.errors import OneseatError
from oneseat.contract.reports.limits import TokenEstimate

#: Cursor home and clear: a terminal shows the new report in place of the old one.
_REDRAW = "\x1b[H\x1b[J"
#: Bounds of the period: more often shows nothing new, and no clock can wait for ``inf``.
_SHORTEST_S, _LONGEST_S = 0.1, 1_000_000.0


class _Period(OptionalSeconds):
    """How often to look again."""

    alone = 10.0

    def type_cast_value(self, ctx: click.Context, value: Any) -> float | None:
        """The seconds, as far as they can be waited for."""
        seconds = super().type_cast_value(ctx, value)
        return None if seconds is None else min(max(seconds, _SHORTEST_S), _LONGEST_S)


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
    "--refresh",
    is_flag=True,
    help="Ask the official CLIs first, and count tokens where they report no usage.",
)
@click.option(
    "--watch", cls=_Period, type=float, metavar="[SECONDS]", help="Print it repeatedly, until Ctrl-C."
)
def command(*, as_json: bool, as_line: bool, refresh: bool, watch: float | None) -> int:
    """Show how full each usage window is, when it resets, and when it will be full.

    The numbers were reported to oneseat's own runs, each with its age; what was not reported is unknown. No prompt is sent.
    """
    if as_json and as_line:
        raise click.UsageError("--json and --statusline are mutually exclusive")
    form = to_json if as_json else statusline if as_line else limits_text
    estimate = _refresh() if refresh else None
    if watch is None:
        echo(form(read_limits(Installation(), estimate=estimate)))
        return 0
    try:
        while True:
            if sys.stdout.isatty():
                sys.stdout.write(_REDRAW)
            echo(form(read_limits(Installation(), estimate=estimate)))
            _pause(watch)
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            echo("")  # or the shell prompt would stand behind the ^C
        return 0


def _pause(seconds: float) -> None:
    """Wait. Raises ``click.exceptions.Exit`` as soon as the reader of stdout leaves, not only at the next report."""
    if sys.platform == "win32" or not can_be_left(sys.stdout.fileno()):
        time.sleep(seconds)
        return
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if poll.poll(seconds * 1000):
        raise click.exceptions.Exit(CANCELLED)


def _refresh() -> TokenEstimate | None:
    """Ask the official CLIs for their windows. Returns an estimate where nobody reports how full the five hours are."""
    if not run_stoppable(ask_limits(Installation())):
        complain("note: the official CLI reported no window; a run reports them with its answer\n")
    try:
        run_stoppable(ask_codex_limits(Installation()))
    except OneseatError as error:
        # Without the second seat, the first one's answer still counts. A missing Codex CLI is not worth a note.
        if error.info.code != "provider.not_found":
            complain(f"note: the codex CLI could not be asked: {error.info.message}\n")
    return estimate_tokens(Installation())
