"""Ask a running server for its status, or to end."""

from __future__ import annotations

import contextlib

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.protocol import FromServer, ServerStatus, StatusReport
from oneseat.host.locks import read_holder, wait_until_unlocked
from oneseat.host.processes.tree import pid_space, wait_until_gone
from oneseat.installation import Installation

from .client import Link, reach

__all__ = ["server_status", "stop_server"]

#: How long a process may take to go after its last connection, in seconds.
_GONE_S = 30.0
_decoder = msgspec.json.Decoder(FromServer)


def server_status(here: Installation) -> StatusReport:
    """Whether a server is running, and what it does."""
    folder = str(here.paths.serve_dir)
    link = reach(folder)
    if link is None:
        return StatusReport(server=None, folder=folder)
    with link:
        return StatusReport(server=_ask(link), folder=folder)


def stop_server(here: Installation) -> int | None:
    """End the server that is running and wait until its process is gone; returns its id, ``None`` where none is running.

    Raises ``OneseatError`` ``provider.server_stays``.
    """
    link = reach(str(here.paths.serve_dir))
    if link is None:
        return None
    lock = here.paths.serve_dir / "serve.lock"
    holder = read_holder(lock)
    with link:
        with contextlib.suppress(OSError):
            link.say("ask_stop")
        with contextlib.suppress(EOFError):
            while True:
                link.read()
    pid: int = link.hello["pid"]
    # In another PID namespace its pid is that of somebody else.
    here_too = holder is not None and holder.space == pid_space()
    if not (wait_until_gone(pid, _GONE_S) if here_too else wait_until_unlocked(lock, _GONE_S)):
        raise OneseatError(
            ErrorInfo(
                code="provider.server_stays",
                message=f"The server was told to end and did not: process `{pid}`",
                hint=f"End it: `kill {pid}`",
            )
        )
    return pid


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
