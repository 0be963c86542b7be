"""``oneseat serve``."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.server import stop_server
from oneseat.cli.output import echo
from oneseat.cli.terminal.signals import stop_signals
from oneseat.contract.gateway.http import DEFAULT_PORT, HttpOptions
from oneseat.contract.reports.setup import ServerStopped
from oneseat.serve.runtime import Runtime, opened_runtime


@click.command(
    "serve",
    epilog="""\b
In another terminal:
  oneseat run "say ok"
  oneseat clients add my-editor --author me --reader me --work-of me
  oneseat status
  oneseat serve --stop""",
)
@click.option(
    "--port", type=int, default=DEFAULT_PORT, show_default=True, help="Port for HTTP; 0 takes a free one."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address for HTTP; another one needs --api-only."
)
@click.option("--no-http", is_flag=True, help="Serve only your own commands, on the private socket.")
@click.option("--api-only", is_flag=True, help="Never use a plan for HTTP requests, only API keys.")
@click.option("--tls-cert", metavar="FILE", help="Certificate for HTTPS.")
@click.option("--tls-key", metavar="FILE", help="Private key of the certificate.")
@click.option("--stop", is_flag=True, help="Stop the running server, and wait until it is gone.")
@click.option("--json", "as_json", is_flag=True, help="With `--stop`: print one JSON object.")
def command(*, stop: bool, as_json: bool, no_http: bool, **options: Any) -> None:
    """Keep a server running that executes your runs, until Ctrl-C or `oneseat serve --stop`.

    `oneseat run` finds it by itself, on a private socket that only you can reach. Other programs use it over HTTP, in the
    APIs of OpenAI and Anthropic, each with a key of its own: `oneseat clients add NAME`.
    When stopped, it lets current runs finish first (`serve.drain_s`); stopped a second time, it cancels them.
    """
    if as_json and not stop:
        raise click.UsageError(
            "--json works with --stop only; see the running server: `oneseat status --json`"
        )
    if stop:
        _stop(as_json=as_json)
        return
    http = None if no_http else HttpOptions(**options)
    if http is not None:
        http.check()
    asyncio.run(_serve(http))


async def _serve(http: HttpOptions | None) -> None:
    async with opened_runtime(Installation(), http) as runtime:
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
