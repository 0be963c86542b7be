"""The second seat passes the public checks of providers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from oneseat.contract.ports import Provider
from oneseat.contract.simulated import SIMULATOR_TOKEN, Simulator
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.providers.codex_cli.launcher import CodexCliConfig
from oneseat.providers.codex_cli.provider import CodexCliProvider
from oneseat.rules.redaction import redact
from oneseat.testing import check_provider


def test_the_provider_passes(tmp_path: Path, codex_path: Path) -> None:
    def make(url: str) -> Provider:
        config = CodexCliConfig(
            environ={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            threads=str(tmp_path / "threads"),
            executable=str(codex_path),
            simulator=Simulator(url, "token", SIMULATOR_TOKEN, str(tmp_path / "codex")),
        )
        return CodexCliProvider(config, time.time, redact, ProcessRegistry(tmp_path / "kept"))

    report = asyncio.run(check_provider(make))
    assert report.ok, str(report)
