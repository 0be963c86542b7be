"""``oneseat serve``."""

from __future__ import annotations

import asyncio
import contextlib

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.server import stop_server
from oneseat.cli.output import echo
from oneseat.cli.terminal.signals import stop_signals
from oneseat.contract.reports.setup import ServerStopped
from oneseat.serve.runtime import Runtime, opened_runtime


@click.command(
    "serve",
    epilog="""\b
In another terminal:
  oneseat run "say ok"
  oneseat status
  oneseat serve --stop""",
)
@click.option("--stop", is_flag=True, help="Stop the running server, and wait until it is gone.")
@click.option("--json", "as_json", is_flag=True, help="With `--stop`: print one JSON object.")
def command(stop: bool, as_json: bool) -> None:
    """Keep a server running that executes your runs, until Ctrl-C or `oneseat serve --stop`.

    `oneseat run` finds it by itself. Only you can reach it: it listens on a private socket in oneseat's own folder.
    When stopped, it lets current runs finish first (`serve.drain_s`); stopped a second time, it cancels them.
    """
    if as_json and not stop:
        raise click.UsageError(
            "--json works with --stop only; see the running server: `oneseat status --json`"
        )
    if stop:
        _stop(as_json=as_json)
    else:
        asyncio.run(_serve())


async def _serve() -> None:
    async with opened_runtime(Installation()) as runtime:
        _stop_on_signals(runtime)
        await runtime.serve(echo)


def _stop_on_signals(runtime: Runtime) -> None:
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in the loop
        for number in stop_signals():
            asyncio.get_running_loop().add_signal_handler(number, runtime.stop)


def _stop(*, as_json: bool) -> None:
    pid = stop_server(Installation())
    if as_json:
        echo(to_json(ServerStopped(pid=pid)))
        return
    echo("No server is running" if pid is None else f"The server is gone: process {pid}")
