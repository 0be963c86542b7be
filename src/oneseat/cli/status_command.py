"""``oneseat status``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
import msgspec

from oneseat import api
from oneseat._util.json import to_json
from oneseat.contract.pool import IdleProcess
from oneseat.contract.protocol import FromServer, ServerStatus, StatusReport
from oneseat.remote import Link, reach

from .log_command import local_time
from .moments import duration
from .output import echo

_decoder = msgspec.json.Decoder(FromServer)


@click.command(
    "status",
    epilog="""\b
Examples:
  oneseat status
  oneseat status --json""",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Show whether a server is running, the runs it does, and why a command last did without it."""
    folder = api.serve_folder(os.environ)
    link = reach(os.environ, folder)
    status = None
    if link is not None:
        with link:
            status = _ask(link)
    report = StatusReport(server=status, folder=folder)
    echo(to_json(report) if as_json else "\n".join(_lines(report)))


def _ask(link: Link) -> ServerStatus | None:
    try:
        link.say("ask_status")
        while True:
            for line in link.read():
                said = _decoder.decode(line)
                if isinstance(said, ServerStatus):
                    return said
    except (OSError, EOFError):  # it ended between the two
        return None


def _lines(report: StatusReport) -> Iterator[str]:
    server = report.server
    if server is None:
        yield "server    not running; `oneseat serve` starts one"
        yield f"folder    {report.folder}"
        return
    state = "about to end" if server.draining else "running"
    yield f"server    {state}, process {server.pid}, since {local_time(server.since)}, oneseat {server.version}"
    yield f"folder    {report.folder}"
    yield f"runs      {len(server.runs) or 'none'}"
    for run in server.runs:
        yield f"          {run.id}  {duration(run.age_s)}  {run.model or 'default model'}"
    yield f"warm      {len(server.warm) or 'none'}"
    yield from map(_warm, server.warm)
    cold = server.last_cold
    yield f"last cold {f'{local_time(cold.at)}  {cold.why}' if cold else 'never'}"


def _warm(process: IdleProcess) -> str:
    memory = f"{process.memory_bytes / 2**20:.0f} MiB"
    return f"          process {process.pid}  {duration(process.age_s)}  {memory}  {process.model}"
