"""``oneseat guard``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from oneseat._util.json import to_json
from oneseat.agents.guard import app as guard
from oneseat.agents.guard.report import Report
from oneseat.app import Installation
from oneseat.cli.output import echo, read_stdin
from oneseat.cli.views.guard import finding_text, report_text
from oneseat.contract.errors import ErrorInfo, UsageError, exit_code

_REPO = click.option(
    "--repo",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The repository; by default the one you are in.",
)
#: Git's lines are short, a push of ten thousand refs is 2 MB.
_LONGEST_INPUT = 64 * 2**20


@click.group(
    "guard",
    epilog="""\b
Examples:
  oneseat guard install
  oneseat guard scan
  oneseat guard accept 4f2a90c1 --reason "a key of the sandbox" --until 2027-03-01""",
)
def command() -> None:
    """Stop a push that would publish a secret, personal data or something dangerous."""


@command.command("install", epilog="\\b\nExamples:\n  oneseat guard install")
@_REPO
def install(repo: Path | None) -> None:
    """Install the pre-push hook of a repository, and test that it stops a made-up secret. A hook that is there is kept."""
    for line in _guard(repo).install():
        echo(line)


@command.command("uninstall")
@_REPO
def uninstall(repo: Path | None) -> None:
    """Remove the pre-push hook, and bring back the one that was there before."""
    for line in _guard(repo).uninstall():
        echo(line)


@command.command(
    "scan",
    epilog="""\b
Examples:
  oneseat guard scan
  oneseat guard scan --range origin/main..HEAD --json
  oneseat guard scan --staged
  oneseat guard scan --ci --sarif guard.sarif

Exit codes: 0 nothing stops the push, 9 findings stop it, 2 it could not be checked, so it stops too.""",
)
@_REPO
@click.option("--range", "range_", metavar="A..B", help="Scan these commits.")
@click.option("--staged", is_flag=True, help="Scan what the next commit would add.")
@click.option("--all", "everything", is_flag=True, help="Scan the history of every branch and tag.")
@click.option(
    "--pre-push", nargs=2, metavar="REMOTE URL", help="Scan what git's pre-push hook names on standard input."
)
@click.option("--no-model", is_flag=True, help="Do not ask a model about what is found.")
@click.option("--ci", is_flag=True, help="Test every rule first, ask no model, and look at commits only.")
@click.option(
    "--sarif",
    "sarif_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the findings as SARIF.",
)
@click.option(
    "--with",
    "other",
    type=click.Choice(["gitleaks"]),
    help="Add what this scanner finds; it must be in PATH.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def scan(
    *,
    repo: Path | None,
    no_model: bool,
    ci: bool,
    other: str | None,
    sarif_file: Path | None,
    as_json: bool,
    **named: Any,
) -> int:
    """Scan what a push of the current branch would send: all that no remote has yet.

    Without findings no model runs. With new ones, one run on your plan judges them; it never sees a secret.
    """
    if sum(map(bool, named.values())) > 1:
        raise click.UsageError("--range, --staged, --all and --pre-push are mutually exclusive")
    named["everything"] |= ci
    report = _guard(repo).scan(
        _what(**named), ask=not (no_model or ci), beside=not ci, test=ci, other=other is not None
    )
    if sarif_file is not None:
        _write_sarif(sarif_file, report)
    echo(to_json(report) if as_json else report_text(report))
    return exit_code("guard.stopped") if report.stopped else 0


@command.command("accept")
@click.argument("fingerprint")
@click.option(
    "--reason", required=True, metavar="TEXT", help="Why it may leave, for whoever reads it next year."
)
@click.option(
    "--until", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The last day it may."
)
@_REPO
def accept(*, fingerprint: str, reason: str, until: datetime, repo: Path | None) -> None:
    """Let a finding leave until a day. FINGERPRINT is printed with the finding, or is the beginning of that."""
    finding = _guard(repo).accept(fingerprint, reason, until.date())
    echo(f"accepted until {until.date()}: {finding.rule} in {finding.path} ({finding.fingerprint})")


@command.command("explain")
@click.argument("fingerprint")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_REPO
def explain(*, fingerprint: str, as_json: bool, repo: Path | None) -> None:
    """Show all that is known of a finding: where it is, why it matters, and how to take it out of the history."""
    finding = _guard(repo).explain(fingerprint)
    echo(to_json(finding) if as_json else finding_text(finding))


def _guard(repo: Path | None) -> guard.Guard:
    here = Installation()
    return guard.Guard(Path(here.data_dir), Path(here.config_dir), here.env, repo)


def _what(
    range_: str | None, pre_push: tuple[str, str] | None, *, staged: bool, everything: bool
) -> guard.What:
    if range_ is not None:
        return guard.of_range(range_)
    if pre_push:
        return guard.of_push(*pre_push, read_stdin(_LONGEST_INPUT).decode("utf-8", "surrogateescape"))
    if staged:
        return guard.of_index
    if everything:
        return guard.of_everything
    return guard.of_framework(Installation().env) or guard.of_unpushed


def _write_sarif(file: Path, report: Report) -> None:
    try:
        file.write_bytes(to_json(guard.sarif_log(report)))
    except OSError as error:
        raise UsageError(
            ErrorInfo(code="usage.output", message=f"Cannot write the findings: `{file}`\n  {error.strerror}")
        ) from error
