"""``oneseat sessions``."""

from __future__ import annotations

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.sessions import end_sessions, find_session, find_sessions
from oneseat.cli.options.completing import completer
from oneseat.cli.output import complain, echo
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.views.runs import session_text, sessions_text
from oneseat.cli.views.table import plural


@click.group("sessions", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and end the conversations of your projects. Without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_sessions)


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Include conversations that have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all fields.")
def list_sessions(every: bool, as_json: bool) -> None:
    """List the conversations that can continue, the last used first."""
    report = find_sessions(Installation(), ended=every)
    if as_json:
        echo(to_json(report))
    elif report.sessions:
        echo(sessions_text(report))
    else:
        ended = "" if every else "; those that have ended: oneseat sessions list --all"
        complain(f"No conversations. Start one: oneseat run --project NAME ...{ended}\n")


@command.command("show")
@click.argument("name", metavar="ID|PROJECT", shell_complete=completer("session"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: conversation and runs.")
def show(name: str, as_json: bool) -> None:
    """Print one conversation and its runs. ID may be the beginning of an id; for a project, the last used is shown."""
    report = find_session(Installation(), name)
    echo(to_json(report) if as_json else session_text(report))


@command.command("end")
@click.argument("project", shell_complete=completer("project"))
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: the conversations that were ended."
)
def end(project: str, as_json: bool) -> None:
    """End the conversations of PROJECT: its next run starts a new one. The official CLI keeps the transcript."""
    report = run_stoppable(end_sessions(Installation(), project))
    if as_json:
        echo(to_json(report))
        return
    for session in report.sessions:
        echo(f"ended {session.id} · {plural(session.messages, 'message')} · {session.cwd}")
    if not report.sessions:
        complain(f"Nothing to end: {project}\n")
