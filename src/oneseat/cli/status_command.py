"""``oneseat status``."""

from __future__ import annotations

import os

import click
import msgspec

from oneseat import api
from oneseat._util.json import to_json
from oneseat.contract.protocol import FromServer, ServerStatus, StatusReport
from oneseat.remote import Link, reach

from .output import echo
from .views.status import status_text

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
    echo(to_json(report) if as_json else status_text(report))


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
