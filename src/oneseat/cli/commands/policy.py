"""``oneseat policy``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app import policy as desk
from oneseat.app.settings import find_project
from oneseat.cli.options.completing import completer
from oneseat.cli.options.purpose import PURPOSE_OPTIONS, words_of
from oneseat.cli.output import echo
from oneseat.cli.views.policy import (
    check_text,
    confirmations_text,
    explanation_text,
    rule_text,
    section_text,
    show_text,
    update_text,
)
from oneseat.contract.errors import UsageError
from oneseat.contract.reports.policy import SECTIONS
from oneseat.contract.request import Entry, ProjectUse, Request

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Input(click.ParamType[tuple[str, str]]):
    """An input and its value."""

    name = "input"

    def convert(
        self, value: str | tuple[str, str], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, found, word = value.partition("=")
        if not found:
            self.fail(f"`{value}` is not INPUT=WORD, such as work_owner=client", param, ctx)
        return name, word


class _Day(click.ParamType[str]):
    """A day."""

    name = "day"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            self.fail(f"`{value}` is not a day such as 2026-11-20", param, ctx)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_MY_WORD = click.option(
    "--i-confirm",
    "words",
    metavar="TEXT",
    help="A sentence in your own words: why the plan may do this.",
)


def _purpose_options(function: _Function) -> _Function:
    for option in reversed(PURPOSE_OPTIONS):
        function = option(function)
    return function


@click.group(
    "policy",
    epilog="""\b
Examples:
  oneseat policy show
  oneseat policy explain --work-of client
  oneseat policy confirm Y5 work_owner=client --client acme
  oneseat policy check pack.json""",
)
def command() -> None:
    """Show, explain, replace and override the rules on what your plan may do."""


@command.command(
    "show",
    epilog=f"""\b
Sections: {", ".join(SECTIONS)}.

\b
Examples:
  oneseat policy show
  oneseat policy show R1
  oneseat policy show facts
  oneseat policy show --json""",
)
@click.argument("what", required=False, metavar="[RULE|SECTION]", shell_complete=completer("rule or section"))
@_JSON
def show(what: str | None, *, as_json: bool) -> None:
    """Print the rules in force, one rule with its sources, or a section of facts."""
    if what is None:
        report = desk.read_policy(Installation())
        echo(to_json(report) if as_json else show_text(report))
    elif what in SECTIONS:
        section = getattr(desk.read_policy(Installation()), what)
        echo(to_json({what: section}) if as_json else section_text(section))
    else:
        rule = desk.find_rule(Installation(), what)
        echo(to_json(rule) if as_json else rule_text(rule, desk.describe_rule(rule)))


@command.command(
    "explain",
    epilog="""\b
Examples:
  oneseat policy explain
  oneseat policy explain --for Ana
  oneseat policy explain --work-of employer plan=team_seat
  oneseat policy explain host=rented_runner --on 2027-01-01 --json""",
)
@click.argument("stated", nargs=-1, type=_Input(), metavar="[INPUT=WORD]...")
@_purpose_options
@click.option(
    "--project",
    metavar="NAME",
    shell_complete=completer("project"),
    help="Explain a run of this project of your oneseat.toml.",
)
@click.option("--on", "day", type=_Day(), metavar="DAY", help="Use the rules and facts of this day.")
@_JSON
def explain(stated: tuple[tuple[str, str], ...], *, as_json: bool, **options: Any) -> None:
    """Show what may pay for a request, by which rule, from which inputs. Nothing is run.

    Without options, it explains a request of your own, for you, made here and now.
    """
    here = Installation()
    project = find_project(here, options["project"]) if options["project"] is not None else None
    request = Request(
        prompt="(none: only a question)",
        cwd=os.sep,
        purpose=words_of(here, options, project).purpose(),
        client=options["client"],
        project=ProjectUse(name=project.name) if project is not None else None,
        entry=Entry(attended=sys.stderr.isatty()),
    )
    found = desk.explain(here, request, dict(stated), day=options["day"])
    echo(to_json(found) if as_json else explanation_text(found))


@command.command(
    "check",
    epilog="""\b
Example:
  oneseat policy check pack.json""",
)
@click.argument("file", type=click.Path(path_type=Path))
@_JSON
def check(file: Path, *, as_json: bool) -> None:
    """Check a policy pack: its form, its sources, and that it allows nothing that is forbidden to packs. Nothing is changed."""
    report = desk.check_pack(Installation(), file)
    echo(to_json(report) if as_json else check_text(report))


@command.command(
    "update",
    epilog="""\b
Examples:
  oneseat policy update
  oneseat policy update pack.json
  oneseat policy update --bundled""",
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--bundled", is_flag=True, help="Return to the pack that comes with oneseat, even if it is older."
)
@_MY_WORD
@_JSON
def update(file: Path | None, *, bundled: bool, words: str | None, as_json: bool) -> None:
    """Put newer rules in force: the pack FILE, or without it the one that comes with oneseat. Nothing is downloaded.

    Rules expire 90 days after their date. The changes are shown. A pack that allows more than the one in force needs your
    confirmation.
    """
    if file is not None and bundled:
        raise click.UsageError("Name either FILE or --bundled")
    if file is None and not bundled:
        desk.check_newer(Installation())
    try:
        report = desk.take_pack(Installation(), file, words)
    except UsageError as error:
        if error.info.code != "usage.pack_loosens":
            raise
        # Whoever is asked to confirm has to see first what changes.
        click.echo(update_text(desk.check_pack(Installation(), file).differences), err=True)
        if words is not None or as_json or not _at_terminal():
            raise
        report = desk.take_pack(Installation(), file, _typed("Why may the plan do more? "))
    text = f"{update_text(report.differences)}\nin force: pack {report.meta.pack_version}"
    echo(to_json(report) if as_json else text)


@command.command(
    "confirm",
    epilog="""\b
Examples:
  oneseat policy confirm Y5 work_owner=client --client acme
  oneseat policy confirm --list
  oneseat policy confirm --revoke 1a2b3c4d""",
)
@click.argument("rule", required=False, shell_complete=completer("rule"))
@click.argument("stated", nargs=-1, type=_Input(), metavar="[INPUT=WORD]...")
@click.option(
    "--project", metavar="NAME", shell_complete=completer("project"), help="Only for runs of this project."
)
@click.option(
    "--client", metavar="NAME", shell_complete=completer("client"), help="Only for work for this client."
)
@_MY_WORD
@click.option("--list", "listing", is_flag=True, help="List what you have confirmed.")
@click.option("--revoke", metavar="ID", help="Revoke a confirmation.")
@_JSON
def confirm(rule: str | None, stated: tuple[tuple[str, str], ...], *, as_json: bool, **options: Any) -> None:
    """Confirm in writing that your plan may do a class of work that a GREY rule leaves open.

    A refusal names the command. The confirmation holds for these inputs only, and until the rule changes.
    """
    here = Installation()
    if options["listing"]:
        report = desk.confirmations(here)
        echo(to_json(report) if as_json else confirmations_text(report.confirmations))
        return
    if options["revoke"] is not None:
        gone = desk.revoke(here, options["revoke"])
        echo(to_json(gone) if as_json else f"revoked {gone.revoked}")
        return
    if rule is None:
        raise click.UsageError("Name the rule and its inputs, or use --list")
    words = options["words"]
    if words is None:
        words = _typed("Why may the plan do this? ") if _at_terminal() else ""
    said = desk.confirm(here, rule, dict(stated), words, project=options["project"], client=options["client"])
    echo(to_json(said) if as_json else confirmations_text([said]))


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _typed(question: str) -> str:
    text: str = click.prompt(question, prompt_suffix="", err=True)
    return text
