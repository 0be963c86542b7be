"""``oneseat doctor``."""

from __future__ import annotations

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.doctor import examine, try_installed_cli
from oneseat.cli.output import complain, echo
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.views.doctor import doctor_text, trial_text
from oneseat.contract.errors import exit_code


@click.command(
    "doctor",
    epilog="""\b
Examples:
  oneseat doctor
  oneseat doctor --json

Exit codes: 0 ready, 3 not safe, 7 not signed in or no CLI, 2 settings or folders unusable.""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--canary",
    is_flag=True,
    help="Test every assumption about the installed CLI on the simulator.",
)
def command(as_json: bool, canary: bool) -> int:
    """Check which wallet would pay, and whether this machine is ready. Sends no prompt, spends nothing."""
    if canary:
        return _try(as_json=as_json)
    report = run_stoppable(examine(Installation()))
    echo(to_json(report) if as_json else doctor_text(report))
    return report.exit_code


def _try(*, as_json: bool) -> int:
    if not as_json:
        complain("testing the official CLI on the simulator; no login is used, nothing leaves this machine\n")
    report = run_stoppable(try_installed_cli(Installation()))
    echo(to_json(report) if as_json else trial_text(report))
    return 0 if report.passed else exit_code("provider.untested_cli")
