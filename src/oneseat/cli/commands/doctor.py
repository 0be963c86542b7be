"""``oneseat doctor``."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from oneseat._util.json import to_json
from oneseat.agents.guard import app as guard
from oneseat.app import Installation
from oneseat.app.doctor import examine, try_installed_cli
from oneseat.cli.output import complain, echo
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.views.doctor import doctor_text, trial_text
from oneseat.contract.errors import exit_code
from oneseat.contract.reports.doctor import CheckupFinding, Report


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
    here = Installation()
    report = _with_guard(here, run_stoppable(examine(here)))
    echo(to_json(report) if as_json else doctor_text(report))
    return report.exit_code


def _with_guard(here: Installation, report: Report) -> Report:
    """The report with what is known of the pre-push hook here, if there is one: runs do not depend on it."""
    tested = guard.check_up(Path(here.data_dir), Path(here.config_dir), here.env)
    if tested is None:
        return report
    file, wrong = tested
    finding = (
        CheckupFinding(
            level="ok", code="hook.ready", message=f"The pre-push hook stops a made-up secret: `{file}`"
        )
        if wrong is None
        else CheckupFinding(level="warning", code="hook.broken", message=wrong.message, fix=wrong.hint)
    )
    findings = sorted(
        (*report.findings, finding), key=lambda each: ("problem", "warning", "ok").index(each.level)
    )
    return msgspec.structs.replace(report, findings=tuple(findings))


def _try(*, as_json: bool) -> int:
    if not as_json:
        complain("testing the official CLI on the simulator; no login is used, nothing leaves this machine\n")
    report = run_stoppable(try_installed_cli(Installation()))
    echo(to_json(report) if as_json else trial_text(report))
    return 0 if report.passed else exit_code("provider.untested_cli")
