"""Gateways for tests: one on a CLI that answers at once, one on the official CLI and the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oneseat.testing import Answer, Behaviour, Simulator, Text, write_fake_cli
from oneseat.testing.fake_cli import Result, Say
from tests.e2e.driving import silent_url

from .served import Served, installation, served

ANSWER = "hello from the model"


@pytest.fixture
async def quick(tmp_path: Path) -> AsyncIterator[Served]:
    """One whose CLI answers at once: for what has nothing to do with the real one."""
    cli = write_fake_cli(tmp_path / "claude", Behaviour(on_user=(Say(ANSWER), Result(ANSWER))))
    async with served(installation(tmp_path, cli.path, silent_url())) as gateway:
        yield gateway


@pytest.fixture
async def real(tmp_path: Path, claude_path: Path, simulator: Simulator) -> AsyncIterator[Served]:
    """One on the official CLI. The simulator plays what the test scripts as `play`."""
    simulator.script("play", [Answer(content=(Text(ANSWER),))])
    async with served(installation(tmp_path, claude_path, simulator.url("play"))) as gateway:
        yield gateway
