"""``oneseat doctor``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from oneseat import inspection
from oneseat._util.json import to_json
from oneseat.admission import try_installed_cli
from oneseat.contract.errors import exit_code
from oneseat.contract.facts import LoginFacts
from oneseat.contract.reports.compat import CanaryReport
from oneseat.contract.reports.doctor import CodexCheckup, Report

from .output import complain, echo
from .stoppable import run_stoppable

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
@click.option(
    "--canary",
    is_flag=True,
    help="Try every assumption about the installed CLI on the simulator.",
)
def command(as_json: bool, canary: bool) -> int:
    """Check which wallet would pay, and whether this machine is ready. Sends no prompt, spends nothing."""
    if canary:
        return _try(as_json=as_json)
    report = run_stoppable(inspection.examine())
    if as_json:
        echo(to_json(report))
    else:
        echo("\n".join(_lines(report)))
    return report.exit_code


def _try(*, as_json: bool) -> int:
    if not as_json:
        complain("trying the official CLI on the simulator; no login is used, nothing leaves this machine\n")
    report = run_stoppable(try_installed_cli(os.environ, Path.cwd()))
    echo(to_json(report) if as_json else "\n".join(_trial(report)))
    return 0 if report.passed else exit_code("provider.untested_cli")


def _trial(report: CanaryReport) -> Iterator[str]:
    yield f"official CLI  {report.cli.path} ({report.version or 'unknown version'})"
    for each in report.assumptions:
        yield f"{'holds   ' if each.holds else 'BROKEN  '}{each.name:<14}  {each.expected}"
        if not each.holds:
            yield f"{'':<24}seen: {each.seen}".replace("\n", "\n" + " " * 24)
    yield _verdict(report)


def _verdict(report: CanaryReport) -> str:
    tried, broken = len(report.assumptions), ", ".join(each.name for each in report.broken)
    when = f"{datetime.fromtimestamp(report.tried_at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    how = "all hold" if report.passed else f"broken: {broken}"
    return f"canary        {tried} assumptions, {how} (tried {when}, {report.duration_ms / 1000:.1f} s)"


def _lines(report: Report) -> Iterator[str]:
    yield f"official CLI  {_cli(report)}"
    if report.canary is not None:
        yield _verdict(report.canary)
    for login in report.logins:
        yield f"login         {_login(login, simulated=report.simulator is not None)}"
    yield f"wallet        {report.wallet}"
    yield "sources, the strongest first"
    for row in report.sources:
        yield f"  {row.name:<28} {row.effect:<24} {row.place}"
    if not report.sources:
        yield "  none"
    if report.codex is not None:
        yield from _codex(report.codex)
    yield f"folders       {', '.join(report.folders)}"
    yield ""
    for finding in report.findings:
        yield _MARK[finding.level] + finding.message.replace("\n", "\n      ")
        if finding.fix is not None:
            yield f"          fix: {finding.fix}"
    yield ""
    yield "ready" if report.ready else "not ready"


def _codex(codex: CodexCheckup) -> Iterator[str]:
    yield f"codex CLI     {codex.path} ({codex.version or 'unknown version'}; tested {codex.tested})"
    signed_in = codex.auth_method or "nobody"
    yield f"  {'login':<28} {signed_in}, plan {codex.plan or 'unknown'}, {codex.login.kind} at {codex.login.place}"
    yield f"  {'wallet':<28} {codex.wallet}"
    for source in codex.kept:
        yield f"  {source.name:<28} {'is kept from the child':<24} {source.place}"
    if codex.refusal is not None:
        yield f"  {codex.refusal.code:<28} {codex.refusal.message}".replace("\n", "\n" + " " * 31)
        if codex.refusal.hint is not None:
            yield f"{'':<31}fix: {codex.refusal.hint}"


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
