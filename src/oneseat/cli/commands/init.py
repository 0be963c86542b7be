"""``oneseat init``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.doctor import examine
from oneseat.app.foresight import everything_refused
from oneseat.app.keys import new_key
from oneseat.app.setup import HOSTS, PLANS, Choices, Prepared, Written
from oneseat.cli.options.init_prompts import Chosen, ask, key_settings, key_value, said_host, usual_seat
from oneseat.cli.output import complain, echo
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.providers import SEATS, KeyProvider
from oneseat.contract.reports.doctor import Report
from oneseat.contract.reports.setup import InitReport

#: What to do about settings with which no run is served.
_WAYS_OUT = (
    "  with an API key it is served: `oneseat init --yes --replace --key anthropic ...`;"
    " see what the policy says: `oneseat policy explain`"
)
#: The options that describe the key.
_OF_A_KEY = (
    "key_name",
    "key_env",
    "key_file",
    "base_url",
    "credits",
    "free",
    "run_budget",
    "day_budget",
    "month_budget",
)


@click.command(
    "init",
    epilog="""\b
Examples:
  oneseat init
  oneseat init --yes
  oneseat init --yes --key anthropic --key-env WORK_KEY --day-budget 5""",
)
@click.option("--yes", is_flag=True, help="Ask nothing: use the options and the defaults.")
@click.option("--replace", is_flag=True, help="Replace existing settings; a copy is kept.")
@click.option(
    "--humans",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="How many people use oneseat here. [default: 1]",
)
@click.option("--host", type=click.Choice(HOSTS), help="Whose machine this is.")
@click.option("--plan", type=click.Choice(PLANS), help="Your plan, if the official CLI does not name it.")
@click.option(
    "--seat",
    type=click.Choice(SEATS),
    help="The plan to use. [default: the first that is ready]",
)
@click.option(
    "--key",
    type=click.Choice(get_args(KeyProvider)),
    help="Use an API key for this provider when the plan cannot serve.",
)
@click.option("--key-name", metavar="NAME", help="Name of the key. [default: the name of the API]")
@click.option("--key-env", metavar="VARIABLE", help="The variable that holds the key.")
@click.option("--key-file", metavar="PATH", help="The private file that holds the key.")
@click.option("--base-url", metavar="URL", help="Send requests to this address instead of the vendor's.")
@click.option("--credits", is_flag=True, default=None, help="The key uses credits that a plan includes.")
@click.option("--free", is_flag=True, default=None, help="`--base-url` charges nothing and needs no key.")
@click.option("--run-budget", type=float, metavar="USD", help="Budget of one run with the key.")
@click.option("--day-budget", type=float, metavar="USD", help="Budget of a day with the key.")
@click.option("--month-budget", type=float, metavar="USD", help="Budget of a month with the key.")
@click.option(
    "--pause-at",
    type=click.IntRange(1, 100),
    metavar="PERCENT",
    help="Pause unattended runs when a usage window is this full.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; needs `--yes`.")
def command(*, yes: bool, replace: bool, as_json: bool, **options: object) -> None:
    """Set up oneseat: look for official CLIs, ask a few questions, and write your settings.

    Nothing is written before you answer the last question. No prompt is sent, nothing is spent, and no login is read.
    """
    if as_json and not yes:
        raise click.UsageError("--json needs --yes: it prints no questions")
    if yes:
        _check_key_options(options)
    here = Installation()
    there = _settings_are_there(here.settings_file, ask_first=not yes, replace=replace)
    report = run_stoppable(examine(here))
    if not as_json:
        echo("\n".join(_found(report)))
    ready = _ready(report)
    choices = _choices(options, ready) if yes else ask(options, ready, plan_is_known=_names_plan(report))
    prepared = Prepared(here, choices)
    value = None
    if not yes:
        value = key_value(prepared, choices.key)
        echo(f"\n{prepared.text}")
        _confirm(here.settings_file, there=there and not replace)
    written = prepared.write(value)
    refused = everything_refused(Installation())
    if as_json:
        echo(to_json(_report(written, refused)))
        return
    echo("\n".join(_done(written)))
    if refused is not None:
        complain(f"warning: every run would be refused: {refused.message}\n{_WAYS_OUT}\n")
    echo("\n".join(_next(report, choices, given=value is not None)))


def _report(written: Written, refused: ErrorInfo | None) -> InitReport:
    return InitReport(
        written=str(written.path),
        copy=None if written.copy is None else str(written.copy),
        doubt=written.doubt,
        refused=refused,
    )


def _check_key_options(options: Chosen) -> None:
    """Raise ``UsageError`` for what is said of a key where none is wanted: a budget that nobody keeps is none."""
    lost = [name for name in _OF_A_KEY if options[name] not in {None, False}]
    if lost and options["key"] is None:
        shown = ", ".join(f"`--{name.replace('_', '-')}`" for name in lost)
        raise _arguments(
            f"Options of an API key without `--key`: {shown}",
            "Name the API: `oneseat init --yes --key anthropic ...`",
        )


def _settings_are_there(path: Path, *, ask_first: bool, replace: bool) -> bool:
    """Whether there are settings. Raises ``UsageError`` where nobody can be asked what becomes of them."""
    if ask_first and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise _arguments(
            "`oneseat init` needs a terminal to ask questions", "Take the defaults: `oneseat init --yes`"
        )
    if path.exists() and not ask_first and not replace:
        hint = "Replace them, and keep a copy: `oneseat init --yes --replace`"
        raise _arguments(f"Settings exist already: `{path}`", hint)
    return path.exists()


def _names_plan(report: Report) -> bool:
    """Whether nothing is to be asked: a login names its plan, or a simulator plays it, or there is no login to speak of."""
    unnamed = report.wallet == "plan" and all(login.subscription is None for login in report.logins)
    return not unnamed


def _ready(report: Report) -> dict[str, bool | None]:
    codex = report.codex
    return {
        "claude-cli": report.ready if report.cli_path is not None else None,
        "codex-cli": codex.refusal is None if codex is not None else None,
    }


def _choices(chosen: Chosen, ready: Mapping[str, bool | None]) -> Choices:
    key = None
    if chosen["key"] is not None:
        key = new_key(chosen["key_name"] or chosen["key"], key_settings(chosen))
    return Choices(
        humans=chosen["humans"] or 1,
        host=said_host(chosen["host"]),
        plan=chosen["plan"],
        seat=usual_seat(chosen, ready),
        key=key,
        pause_at_percent=chosen["pause_at"],
    )


def _found(report: Report) -> Iterator[str]:
    version = report.cli_version or "unknown version"
    yield f"official claude CLI  {f'{report.cli_path} ({version})' if report.cli_path else 'not found'}"
    if report.cli_path is not None:
        plan = next((login.subscription for login in report.logins if login.subscription is not None), None)
        yield _payer(report.wallet, plan, ready=report.ready)
    codex = report.codex
    if codex is None:
        yield "official codex CLI   not found"
    else:
        yield f"official codex CLI   {codex.path} ({codex.version or 'unknown version'})"
        yield _payer(codex.wallet, codex.plan, ready=codex.refusal is None)
    for finding in report.findings:
        if finding.level == "problem" and report.cli_path is not None:
            yield f"  problem            {finding.message.partition(chr(10))[0]}"


def _payer(wallet: str, plan: str | None, *, ready: bool) -> str:
    named = f" ({plan})" if plan is not None else ""
    return f"  would pay          {wallet}{named}{'' if ready else ', not ready'}"


def _confirm(path: Path, *, there: bool) -> None:
    question = f"Replace {path}? A copy is kept" if there else f"Write this to {path}?"
    click.confirm(question, default=not there, abort=True)


def _done(written: Written) -> Iterator[str]:
    if written.doubt is not None:
        complain(f"warning: {written.doubt}\n")
    yield f"written: {written.path}"
    if written.copy is not None:
        yield f"copy of the old settings: {written.copy}"


def _next(report: Report, choices: Choices, *, given: bool) -> Iterator[str]:
    yield ""
    yield "next"
    if choices.seat == "claude-cli":
        yield from (f"  {each.fix}" for each in report.findings if each.level == "problem" and each.fix)
    elif report.codex is not None and report.codex.refusal is not None and report.codex.refusal.hint:
        yield f"  {report.codex.refusal.hint}"
    key = choices.key
    if key is not None and key.env is not None:
        yield f"  set the variable `{key.env}` where your scripts run"
    elif key is not None and key.needed and not given:
        yield f"  store the key: `oneseat key set {key.name}`"
    yield "  see which wallet would pay: `oneseat doctor`"
    yield '  run something: `oneseat run "say hello"`'


def _arguments(message: str, hint: str) -> UsageError:
    return UsageError(ErrorInfo(code="usage.arguments", message=message, hint=hint))
