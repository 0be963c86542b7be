"""``oneseat doctor``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from oneseat import inspection
from oneseat.contract.checkup import Report
from oneseat.contract.facts import LoginFacts

from .output import echo
from .render import to_json

_MARK = {"ok": "ok      ", "warning": "warning ", "problem": "problem "}


@click.command(
    "doctor",
    epilog="""\b
Examples:
  oneseat doctor
  oneseat doctor --json

Exit codes: 0 ready, 3 not safe, 7 not signed in or no CLI, 2 settings or folders unusable.""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> int:
    """Check which wallet would pay, and whether this machine is ready. Sends no prompt, spends nothing."""
    report = asyncio.run(inspection.examine())
    if as_json:
        echo(to_json(report))
    else:
        echo("\n".join(_lines(report)))
    return report.exit_code


def _lines(report: Report) -> Iterator[str]:
    yield f"official CLI  {_cli(report)}"
    for login in report.logins:
        yield f"login         {_login(login, simulated=report.simulator is not None)}"
    yield f"wallet        {report.wallet}"
    yield "sources, the strongest first"
    for row in report.sources:
        yield f"  {row.name:<28} {row.effect:<24} {row.place}"
    if not report.sources:
        yield "  none"
    yield f"folders       {', '.join(report.folders)}"
    yield ""
    for finding in report.findings:
        yield _MARK[finding.level] + finding.message.replace("\n", "\n      ")
        if finding.fix is not None:
            yield f"          fix: {finding.fix}"
    yield ""
    yield "ready" if report.ready else "not ready"


def _cli(report: Report) -> str:
    if report.cli_path is None:
        return "not found"
    return f"{report.cli_path} ({report.cli_version or 'unknown version'}; tested {report.tested[0]} to {report.tested[1]})"


def _login(login: LoginFacts, *, simulated: bool) -> str:
    if simulated:
        return f"{login.kind}, {login.place}"
    if login.kind == "none":
        return f"none at {login.place}"
    parts = [f"{login.kind} ({login.place})"]
    if login.subscription is not None:
        parts.append(f"plan {login.subscription}")
    if login.expires_at_ms is not None:
        parts.append(f"expires {datetime.fromtimestamp(login.expires_at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC")
    return ", ".join(parts)
