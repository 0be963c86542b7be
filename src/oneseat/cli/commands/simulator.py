"""``oneseat simulator``."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import click

from oneseat._util.json import to_json
from oneseat.cli.output import echo
from oneseat.contract.reports.setup import Scenario, ScenarioList
from oneseat.testing import SCENARIOS, Simulator


@click.command(
    "simulator",
    epilog="""\b
In another terminal:
  export ONESEAT_SIMULATOR_URL=http://127.0.0.1:8700/s/ok
  oneseat run "say ok"
  curl -s http://127.0.0.1:8700/_simulator/requests""",
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=8700,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--list", "list_scenarios", is_flag=True, help="List the scenarios and stop.")
@click.option("--json", "as_json", is_flag=True, help="With `--list`: print one JSON object.")
def command(port: int, list_scenarios: bool, as_json: bool) -> None:
    """Start a local server that simulates the vendors, so that tests send and spend nothing.

    The path of the URL names the scenario: /s/SCENARIO, or /s/SCENARIO/LABEL to count a run apart from others.
    """
    if as_json and not list_scenarios:
        raise click.UsageError("--json works with --list only")
    if as_json:
        found = tuple(Scenario(name=name, meaning=meaning) for name, meaning in SCENARIOS.items())
        echo(to_json(ScenarioList(scenarios=found)))
        return
    if list_scenarios:
        for name, meaning in SCENARIOS.items():
            echo(f"{name:<24} {meaning}")
        return
    asyncio.run(_serve(Simulator(port)))


async def _serve(simulator: Simulator) -> None:
    simulator.bind()
    serving = asyncio.ensure_future(simulator.serve_forever())
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in the loop
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    echo(f"Listening on http://127.0.0.1:{simulator.port}; stop with Ctrl-C")
    echo(f"  export ONESEAT_SIMULATOR_URL={simulator.url('ok')}")
    with contextlib.suppress(asyncio.CancelledError):
        await serving
