"""``oneseat demo``."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from oneseat.app import Installation
from oneseat.app.providers import find_cli
from oneseat.app.requests import make_request
from oneseat.app.wiring import opened_app
from oneseat.cli.output import echo
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.views.receipt import receipt_line
from oneseat.contract.errors import OneseatError, exit_code
from oneseat.contract.events import TextDelta
from oneseat.contract.receipt import RunResult
from oneseat.testing import Answer, Simulator, Text

_ANSWER = "Hello. This came through the official CLI, word by word, from a simulator on your own machine."
_KEY = "sk-ant-api03-made-up-for-the-demo"


@click.command("demo", epilog="Afterwards, with your own login: `oneseat doctor`.")
def command() -> int:
    """Run the official CLI three times against a simulator: once as it is, twice with an API key in the way.

    Nothing leaves this machine, no login is used, nothing is kept.
    """
    with tempfile.TemporaryDirectory(prefix="oneseat-demo-") as folder, Simulator() as simulator:
        demo = _Demo(Path(folder), simulator)
        result = demo.plain()
        if result.error is not None:
            raise OneseatError(result.error)
        kept, refused = demo.key_in_environment(), demo.key_in_wrapper()
    expected = kept.receipt.verdict == "verified" and refused.receipt.verdict == "nothing_sent"
    return 0 if expected else exit_code("provider")


class _Demo:
    """A scratch home, a simulator, and three runs."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        simulator.script("demo", [Answer(content=(Text(_ANSWER),), pace_s=0.03)])
        self._folder = folder
        self._simulator = simulator

    def plain(self) -> RunResult:
        """An ordinary run."""
        echo("1. A run. The wallet is checked, then the prompt is sent:\n")
        result = self._run("plain", {})
        echo("")
        return result

    def key_in_environment(self) -> RunResult:
        """A key where the official CLI would use it instead of the login."""
        echo(
            "2. The same with ANTHROPIC_API_KEY in your environment, which would silently replace your login:\n"
        )
        result = self._run("key", {"ANTHROPIC_API_KEY": _KEY})
        for evidence in result.receipt.evidence:
            if evidence.what.startswith("kept:"):
                echo(f"   withheld from the CLI: {evidence.what.removeprefix('kept:')} ({evidence.value})")
        self._count("key")
        return result

    def key_in_wrapper(self) -> RunResult:
        """A ``claude`` that is a script which exports a key: oneseat cannot withhold that one."""
        echo("3. The same with a `claude` on PATH that is a script with a key of its own:\n")
        real = find_cli(Installation(self._env(), self._folder))
        wrapper = self._folder / "claude"
        wrapper.write_text(f'#!/bin/sh\nexport ANTHROPIC_API_KEY={_KEY}\nexec {shlex.quote(real)} "$@"\n')
        wrapper.chmod(0o700)
        result = self._run("wrapper", {"ONESEAT_CLAUDE_PATH": str(wrapper)})
        if result.error is not None:
            echo(f"   refused: {result.error.message} ({result.error.code})".replace("\n", "\n  "))
        self._count("wrapper")
        return result

    def _env(self) -> dict[str, str]:
        """The caller's environment without the caller's settings: only the CLI to use is taken from those."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ONESEAT_") or name == "ONESEAT_CLAUDE_PATH"
        }
        return {**kept, "ONESEAT_HOME": str(self._folder / "home")}

    def _run(self, label: str, extra: Mapping[str, str]) -> RunResult:
        env = {**self._env(), "ONESEAT_SIMULATOR_URL": self._simulator.url("demo", label), **extra}
        echo('   $ oneseat run "say hello"')
        result = run_stoppable(_show(Installation(env, self._folder)))
        echo(f"   {receipt_line(result)}")
        return result

    def _count(self, label: str) -> None:
        requests = self._simulator.messages(label)
        kinds = sorted({kind for request in requests for kind in request.auth})
        signed = f", signed with: {', '.join(kinds)}" if kinds else ""
        echo(f"   requests that reached the vendor (simulated): {len(requests)}{signed}\n")


async def _show(here: Installation) -> RunResult:
    request = make_request(here, "say hello", cwd=here.cwd)
    async with opened_app(here) as app, app.stream(request) as run:
        started = False
        async for event in run:
            if isinstance(event, TextDelta):
                echo(event.text if started else f"   {event.text}", newline=False)
                started = True
        if started:
            echo("")
    if run.result is None:
        raise asyncio.CancelledError
    return run.result
