"""``oneseat sessions``."""

from __future__ import annotations

import click

from oneseat import api
from oneseat._util.json import to_json
from oneseat.api import RunFilter
from oneseat.contract.reports.runs import SessionList, SessionReport

from .output import complain, echo
from .stoppable import run_stoppable
from .views.runs import session_text, sessions_text
from .views.table import plural

_RUNS_SHOWN = 100


@click.group("sessions", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List, show and end the conversations of your projects. Without a command, list them."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_sessions)


@command.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all fields.")
def list_sessions(every: bool, as_json: bool) -> None:
    """List the conversations that have not been ended or replaced, the last used first."""
    with api.read_ledger() as ledger:
        sessions = [session for session in ledger.sessions() if every or session.ended_at is None]
    if as_json:
        echo(to_json(SessionList(sessions=tuple(sessions))))
    elif sessions:
        echo(sessions_text(sessions))
    else:
        complain("No sessions. Begin one: oneseat run --project NAME ...\n")


@command.command("show")
@click.argument("name", metavar="ID|PROJECT")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: session and runs.")
def show(name: str, as_json: bool) -> None:
    """Print one conversation and its runs. ID may be the beginning of one; of a project, the last used is shown."""
    with api.read_ledger() as ledger:
        session = ledger.session(name)
        runs = ledger.runs(RunFilter(session=session.id, limit=_RUNS_SHOWN))[::-1]
    report = SessionReport(session=session, runs=tuple(runs))
    echo(to_json(report) if as_json else session_text(report))


@command.command("end")
@click.argument("project")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the sessions that were ended.")
def end(project: str, as_json: bool) -> None:
    """End the conversations of PROJECT: its next run begins a new one. What was said stays with the official CLI."""
    ended = run_stoppable(api.end_sessions(project))
    if as_json:
        echo(to_json(SessionList(sessions=tuple(ended))))
        return
    for session in ended:
        echo(f"ended {session.id} · {plural(session.messages, 'message')} · {session.cwd}")
    if not ended:
        complain(f"Nothing to end: {project}\n")
