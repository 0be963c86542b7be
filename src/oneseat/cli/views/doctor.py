"""What the doctor found, and what the trial of an installed CLI found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from oneseat.cli.screen import styled
from oneseat.contract.facts import LoginFacts
from oneseat.contract.reports.compat import CanaryReport
from oneseat.contract.reports.doctor import CodexCheckup, Level, Report

from .table import padded, table
from .text import fitting
from .timefmt import local_time_of

if TYPE_CHECKING:
    from oneseat.cli.screen import Style

_COLOURS: dict[Level, Style] = {"ok": "good", "warning": "doubtful", "problem": "bad"}
_MARK = 8
_LABEL = 28


def doctor_text(report: Report) -> str:
    """The whole report. A fix stays on one line, where it can be copied."""
    lines = [line for part in _lines(report) for line in part.splitlines() or [""]]
    return "\n".join(
        piece
        for line in lines
        for piece in ([line] if line.lstrip().startswith("fix:") else fitting(line, " " * _MARK))
    )


def trial_text(report: CanaryReport) -> str:
    """Every assumption about the official CLI, and what was seen where one does not hold."""
    lines = [f"official CLI  {report.cli.path} ({report.version or 'unknown version'})"]
    for each in report.assumptions:
        mark = styled("holds", "good") if each.holds else styled("BROKEN", "bad")
        lines.append(f"{padded(mark, _MARK)}{each.name:<14}  {each.expected}")
        if not each.holds:
            lines.append(f"{'':<24}seen: {each.seen}".replace("\n", "\n" + " " * 24))
    return "\n".join([*lines, _trial(report)])


def _trial(report: CanaryReport) -> str:
    broken = ", ".join(each.name for each in report.broken)
    result = "all hold" if report.passed else f"broken: {broken}"
    when = f"tried {local_time_of(report.tried_at_ms)}, {report.duration_ms / 1000:.1f} s"
    return f"canary        {len(report.assumptions)} assumptions, {result} ({when})"


def _lines(report: Report) -> Iterator[str]:
    yield f"official CLI  {_cli(report)}"
    if report.canary is not None:
        yield _trial(report.canary)
    for login in report.logins:
        yield f"login         {_login(login, simulated=report.simulator is not None)}"
    yield f"wallet        {report.wallet}"
    yield "sources, the strongest first"
    yield from table([(f"  {row.name}", row.effect, row.place) for row in report.sources] or [("  none",)])
    if report.codex is not None:
        yield from _codex(report.codex)
    yield f"folders       {', '.join(report.folders)}"
    yield ""
    for finding in report.findings:
        mark = padded(styled(finding.level, _COLOURS[finding.level]), _MARK)
        yield mark + finding.message.replace("\n", "\n      ")
        if finding.fix is not None:
            yield f"          fix: {finding.fix}"
    yield ""
    yield styled("ready", "good") if report.ready else styled("not ready", "bad")


def _codex(codex: CodexCheckup) -> Iterator[str]:
    yield f"codex CLI     {codex.path} ({codex.version or 'unknown version'}; tested {codex.tested})"
    signed_in = codex.auth_method or "not signed in"
    login = f"{signed_in}, plan {codex.plan or 'unknown'}, {codex.login.kind} at {codex.login.place}"
    yield f"  {'login':<{_LABEL}} {login}"
    yield f"  {'wallet':<{_LABEL}} {codex.wallet}"
    for source in codex.kept:
        yield f"  {source.name:<{_LABEL}} {'is kept from the child':<24} {source.place}"
    if codex.refusal is not None:
        indent = " " * (_LABEL + 3)
        yield f"  {codex.refusal.code:<{_LABEL}} {codex.refusal.message}".replace("\n", "\n" + indent)
        if codex.refusal.hint is not None:
            yield f"{indent}fix: {codex.refusal.hint}"


def _cli(report: Report) -> str:
    if report.cli_path is None:
        return "not found"
    version = report.cli_version or "unknown version"
    return f"{report.cli_path} ({version}; tested {report.tested[0]} to {report.tested[1]})"


def _login(login: LoginFacts, *, simulated: bool) -> str:
    if simulated:
        return f"{login.kind}, {login.place}"
    if login.kind == "none":
        return f"none at {login.place}"
    parts = [f"{login.kind} ({login.place})"]
    if login.subscription is not None:
        parts.append(f"plan {login.subscription}")
    if login.expires_at_ms is not None:
        parts.append(f"expires {local_time_of(login.expires_at_ms)}")
    return ", ".join(parts)
