"""``oneseat serve``."""

from __future__ import annotations

import asyncio
import contextlib
import os

import click

from oneseat import api
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.remote import Link, reach
from oneseat.server.serving import Server
from oneseat.server.start import opened_server, serve

from .output import echo
from .stop_signals import stop_signals

#: How long a process may take to go after its last connection, in seconds.
_GONE_S = 30.0


@click.command(
    "serve",
    epilog="""\b
In another terminal:
  oneseat run "say ok"
  oneseat status
  oneseat serve --stop""",
)
@click.option("--stop", is_flag=True, help="End the server that is running, and wait until it is gone.")
def command(stop: bool) -> None:
    """Keep a server running that does your runs, until Ctrl-C or `oneseat serve --stop`.

    `oneseat run` uses it by itself when it is there. Only you can reach it: it listens on a private socket in oneseat's own
    folder. When it is told to end, runs that go on may finish first (`serve.drain_s`); told a second time, it cancels them.
    """
    if stop:
        _stop()
    else:
        asyncio.run(_serve())


async def _serve() -> None:
    env = dict(os.environ)
    async with opened_server(env) as server:
        _stop_on_signals(server)
        await serve(server, env, echo)


def _stop_on_signals(server: Server) -> None:
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in the loop
        for number in stop_signals():
            asyncio.get_running_loop().add_signal_handler(number, server.stop)


def _stop() -> None:
    link = reach(os.environ, api.serve_folder(os.environ))
    if link is None:
        echo("No server is running")
        return
    with link:
        with contextlib.suppress(OSError):
            link.say("ask_stop")
        _await_close(link)
    pid: int = link.hello["pid"]
    if not api.wait_until_gone(pid, _GONE_S):
        raise OneseatError(
            ErrorInfo(
                code="provider.server_stays",
                message=f"The server was told to end and did not: process `{pid}`",
                hint=f"End it: `kill {pid}`",
            )
        )
    echo(f"The server is gone: process {pid}")


def _await_close(link: Link) -> None:
    with contextlib.suppress(EOFError):
        while True:
            link.read()
