"""A seat of the official `codex` CLI: the real program on the simulator, driven through the library's own engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from oneseat.app.wiring import opened_app
from oneseat.contract.events import Event
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import ApprovalCallback, Request
from oneseat.host.processes.tree import MARKER
from oneseat.installation import Installation
from oneseat.testing import Simulator

#: A model without an entry in the CLI's own list: it is given plain functions to call, as the simulator does.
PLAIN_MODEL = "simulated-model"


class CodexSeat:
    """An environment with the real CLI, a simulator's URL and a home of its own."""

    def __init__(self, root: Path, cli: Path, simulator: Simulator) -> None:
        self.root = root
        self.cwd = root / "work"
        self.cwd.mkdir()
        self.simulator = simulator
        self.env = {
            "HOME": str(root),
            "PATH": "/usr/bin:/bin",
            "ONESEAT_HOME": str(root / "oneseat"),
            "ONESEAT_CODEX_PATH": str(cli),
            "ONESEAT_SIMULATOR_URL": simulator.url(label="codex"),
        }

    @property
    def folder(self) -> Path:
        """The CLI's own folder in simulated runs."""
        return self.root / "oneseat" / "state" / "simulator" / "codex" / "token"

    def play(self, scenario: str) -> None:
        """Have the next runs meet this scenario."""
        self.env["ONESEAT_SIMULATOR_URL"] = self.simulator.url(scenario, label="codex")

    def settings(self, text: str) -> None:
        """Write the owner's settings."""
        folder = self.root / "oneseat" / "config"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "oneseat.toml").write_text(text, "utf-8")

    def request(self, prompt: str = "hello", **more: Any) -> Request:
        return Request(prompt=prompt, cwd=str(self.cwd), provider="codex-cli", **more)

    def run(self, request: Request | None = None, ask: ApprovalCallback | None = None) -> RunResult:
        """Run one request to its end."""
        return self.told(request, ask)[1]

    def told(
        self, request: Request | None = None, ask: ApprovalCallback | None = None
    ) -> tuple[list[Event], RunResult]:
        """Run one request to its end and return what it told."""

        async def go() -> tuple[list[Event], RunResult]:
            async with opened_app(Installation(self.env, self.cwd)) as app:
                async with app.stream(request or self.request(), ask=ask) as run:
                    events = [event async for event in run]
                assert run.result is not None
                return events, run.result

        return asyncio.run(go())

    def sent(self) -> list[str]:
        """What the prompts that reached the model said last."""
        return [str(request.body["input"][-1]) for request in self.simulator.messages("codex")]

    def write_login(self, **fields: Any) -> bytes:
        """Store another login in the CLI's folder and return what the file holds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        stored = json.dumps(fields).encode()
        (self.folder / "auth.json").write_bytes(stored)
        return stored

    def assert_nothing_left(self) -> None:
        left = [process.info for process in psutil.process_iter(["pid", "cmdline"]) if _is_of(process, self)]
        assert left == []


def _is_of(process: psutil.Process, seat: CodexSeat) -> bool:
    try:
        env = process.environ()
    except psutil.Error:
        return False
    return MARKER in env and str(seat.root) in str(env)


@pytest.fixture
def seat(tmp_path: Path, codex_path: Path, simulator: Simulator) -> Iterator[CodexSeat]:
    """A seat that leaves no process behind."""
    seat = CodexSeat(tmp_path, codex_path, simulator)
    yield seat
    seat.assert_nothing_left()


def of(kind: type[Any]) -> Callable[[list[Event]], list[Any]]:
    """The events of one kind."""
    return lambda events: [event for event in events if isinstance(event, kind)]
