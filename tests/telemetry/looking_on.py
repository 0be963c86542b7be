"""One run with observers, by the fake CLI or the real one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import oneseat
from oneseat.contract.events import Event
from oneseat.contract.ports import Observer
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request
from tests.e2e.driving import silent_url


class Notebook:
    """An observer that writes everything down, or fails or hangs where it is told to."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.events: list[str] = []
        self.results: list[RunResult] = []

    def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> Notebook:
        self.began.append(run_id)
        return self

    def saw(self, event: Event, at_ns: int) -> None:
        self.events.append(str(event.__struct_config__.tag))

    def ended(self, result: RunResult, at_ns: int) -> None:
        self.results.append(result)


async def run_with(env: dict[str, str], observers: Sequence[Observer], **options: str) -> RunResult:
    """One run to its end."""
    async with oneseat.connect(env, observers=observers) as app:
        return await app.run(
            oneseat.make_request("hello", tools=options.pop("tools", "none"), cwd=env["HOME"])
        )


def environment(root: Path, cli: Path, url: str | None = None) -> dict[str, str]:
    """An owner's environment below ``root``."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(root),
        "ONESEAT_HOME": str(root / "oneseat"),
        "ONESEAT_CLAUDE_PATH": str(cli),
        "ONESEAT_SIMULATOR_URL": url or silent_url(),
    }
