"""What lies around a run and must not reach it: another session, hooks of a repository, an exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from oneseat.testing import Behaviour, Simulator
from oneseat.testing.fake_cli import Exit, Result, Say, Wait
from tests.e2e.driving import Seat, fake_seat

#: What a session of the official CLI leaves in the environment of what it starts.
INSIDE = {"CLAUDECODE": "1", "CLAUDE_CODE_ENTRYPOINT": "cli", "CLAUDE_CODE_SESSION_ID": "made-up"}


def test_a_run_inside_of_another_session_is_a_run_of_its_own(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    seat.env |= INSIDE
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until('"type":"wallet_verified"')
        (cli,) = [process for process in seat.processes() if process.pid != live.pid]
        assert not {*INSIDE} & {*cli.environ()}
        # A signal to the group of either does not reach the other.
        assert os.getsid(cli.pid) == cli.pid != os.getsid(live.pid)
        assert (live.finish().code, len(simulator.messages())) == (0, 1)


@pytest.mark.parametrize("tools", ["none", "read"])
def test_no_hook_of_a_repository_runs(
    tools: str, tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    hook = [{"hooks": [{"type": "command", "command": f"touch {tmp_path}/hooked"}]}]
    (seat.cwd / ".claude").mkdir()
    (seat.cwd / ".claude" / "settings.json").write_text(
        json.dumps({"hooks": dict.fromkeys(("SessionStart", "UserPromptSubmit", "Stop", "SessionEnd"), hook)})
    )
    assert seat.run("run", "hello", "--tools", tools).code == 0
    assert not (tmp_path / "hooked").exists()


def test_the_cli_is_always_told_how_long_servers_and_tools_may_take(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    assert seat.run("run", "hello").code == 0
    (start,) = cli.starts()
    assert {"MCP_TIMEOUT", "MCP_TOOL_TIMEOUT"} <= {*start.environment}


@pytest.mark.parametrize("code", [1, 137, 143])
def test_a_result_wins_over_the_exit_that_follows_it(code: int, tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("done"), Result("done"), Exit(code))))
    ended = seat.run("run", "hello", "--json")
    assert (ended.code, ended.result["status"], ended.result["text"]) == (0, "completed", "done")


def test_a_second_turn_that_hangs_has_its_own_patience(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("no number"), Result("no number"), Wait("forever"))))
    (seat.cwd / "oneseat.toml").write_text("[watchdog]\nmodel_s = 1\n")
    (seat.cwd / "schema.json").write_text('{"type": "object", "required": ["answer"]}')
    ended = seat.run("run", "hello", "--json", "--schema", "schema.json")
    assert (ended.code, ended.result["error"]["code"], ended.result["text"]) == (
        6,
        "stall.model",
        "no number",
    )
    seat.assert_nothing_left()
