"""Processes that were opened and exercised while they waited: they send what a cold run sends, and a schema takes another."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import oneseat
from oneseat.testing import Answer, Simulator, Text, ToolRound, ToolUse

from .driving import Seat, live_in
from .warming import ask, nothing_left, waiting

_DONE = Answer(content=(Text("done"),))


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator)
    live_in(seat, monkeypatch)
    return seat


@pytest.mark.parametrize("options", [{}, {"system": "Speak French.", "model": "haiku"}])
async def test_what_a_warmed_up_process_sends_is_what_a_cold_run_sends(
    seat: Seat, simulator: Simulator, options: dict[str, str]
) -> None:
    async with oneseat.connect() as cold:
        await ask(cold, "capital?", **options)
    async with oneseat.connect(warm=1) as app:
        await ask(app, "hello")  # from now on the version is known
        simulator.wait_for_messages(2)
        warm = await waiting(app, lambda process: process.opened)
        assert len(simulator.requests()) == 2  # of what it was exercised with, nothing was sent
        result = await ask(app, "capital?", **options)
        assert (result.status, result.receipt.verdict, result.receipt.attempts) == (
            "completed",
            "verified",
            1,
        )
        assert all(process.pid != warm.pid for process in app.idle)
    first, _, last = simulator.messages()
    assert _anywhere(first.body, str(seat.cwd)) == _anywhere(last.body, warm.cwd)
    assert first.headers["anthropic-beta"] == last.headers["anthropic-beta"]
    nothing_left(seat)


def _anywhere(body: Any, cwd: str) -> str:
    """A request without what differs between any two processes: their directory, their session, their made-up device."""
    return re.sub(r"(device_id|session_id)[^,}]+", "", json.dumps(body).replace(cwd, "CWD"))


async def test_a_schema_takes_a_process_that_is_not_open(seat: Seat, simulator: Simulator) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    simulator.script("both", [ToolRound(call=ToolUse("StructuredOutput", {"answer": 42}), answer=_DONE)])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("both")
    async with oneseat.connect(warm=1) as app:
        await ask(app, "hello")
        opened = await waiting(app, lambda process: process.opened)
        for _ in range(2):
            assert (await ask(app, "six times seven", schema=schema)).structured == {"answer": 42}
            # Where schemas are asked for, processes wait unopened.
            await waiting(app, lambda process: process.pid != opened.pid)
            assert [process.opened for process in app.idle] == [False]
    nothing_left(seat)
