"""``oneseat sessions``."""

from __future__ import annotations

import click

from oneseat import api
from oneseat._util.json import to_json
from oneseat.api import RunFilter, Session

from .log_command import local_time, table
from .output import complain, echo
from .stoppable import run_stoppable

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
        echo(to_json({"sessions": sessions}))
    elif sessions:
        rows = [("project", "messages", "last used", "state", "id", "directory"), *map(_row, sessions)]
        echo(table(rows))
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
    if as_json:
        echo(to_json({"session": session, "runs": runs}))
        return
    echo(f"session {session.id} · project {session.project} · {_state(session)}")
    echo(f"  directory  {session.cwd}")
    echo(f"  wallet     {session.wallet}")
    echo(f"  began      {local_time(session.created_at)}, last used {local_time(session.used_at)}")
    echo(f"  messages   {session.messages}")
    for run in runs:
        echo(f"  run {run.id}  {local_time(run.created_at)}  {run.error_code or run.status}")


@command.command("end")
@click.argument("project")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the sessions that were ended.")
def end(project: str, as_json: bool) -> None:
    """End the conversations of PROJECT: its next run begins a new one. What was said stays with the official CLI."""
    ended = run_stoppable(api.end_sessions(project))
    if as_json:
        echo(to_json({"sessions": ended}))
        return
    for session in ended:
        echo(f"ended {session.id} · {session.messages} message(s) · {session.cwd}")
    if not ended:
        complain(f"Nothing to end: {project}\n")


def _row(session: Session) -> tuple[str, ...]:
    last = local_time(session.used_at)
    return session.project, str(session.messages), last, _state(session), session.id, session.cwd


def _state(session: Session) -> str:
    return "live" if session.ended_at is None else f"ended ({(session.end_reason or '').replace('_', ' ')})"
