"""Work that would go on behind a result: it cannot be started, and a result that leaves some is not a success."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Answer, Behaviour, Reply, Simulator, Text, ToolRound, ToolUse
from oneseat.testing.fake_cli import Print, Result, Say
from tests.e2e.driving import Seat, fake_seat

_STARTED = {"type": "system", "subtype": "task_started", "task_id": "t1", "description": "the build"}
_LATER = {"type": "system", "subtype": "task_notification", "task_id": "t1", "status": "completed"}
_KILLED = {"type": "system", "subtype": "task_updated", "task_id": "t1", "patch": {"status": "killed"}}


def offered(request: Any, tool: str) -> set[str]:
    """The parameters of a tool as the model is told of them."""
    (found,) = [each for each in request.body["tools"] if each["name"] == tool]
    return set(found["input_schema"]["properties"])


@pytest.mark.parametrize("version", ["newest", "oldest"])
def test_nothing_can_be_started_in_the_background(
    version: str, tmp_path: Path, claude_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    calls: list[Reply] = [
        ToolRound(
            call=ToolUse("Bash", {"command": "echo ran", "description": "d", "run_in_background": True}),
            answer=Answer(content=(Text("done"),)),
        )
    ]
    simulator.script("background", calls)
    seat = Seat(tmp_path, claude_path if version == "newest" else old_claude_path, simulator, "background")
    ended = seat.run("run", "go", "--tools", "Bash,Task", "--stream-json")
    assert ended.code == 0, ended
    request = simulator.messages()[0]
    assert "command" in offered(request, "Bash")
    assert "prompt" in offered(request, "Agent")
    assert "run_in_background" not in offered(request, "Bash") | offered(request, "Agent")
    # A model that asks for it all the same is told so, and nothing runs.
    (refused,) = [line for line in ended.lines if line["type"] == "tool_result"]
    assert refused["is_error"]
    assert "run_in_background" in refused["text"]


def fake_turn(tmp_path: Path, *lines: dict[str, Any]) -> Seat:
    printed = "".join(json.dumps(line) + "\n" for line in lines)
    seat, _ = fake_seat(
        tmp_path, Behaviour(on_user=(Say("half the work"), Print(printed), Result("started it")))
    )
    return seat


def test_a_result_that_leaves_work_behind_is_no_success_and_is_kept(tmp_path: Path) -> None:
    seat = fake_turn(tmp_path, _STARTED)
    ended = seat.run("run", "go", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (8, "incomplete.background_work")
    assert ended.result["error"]["message"].endswith("background work was still running: the build")
    assert ended.result["text"] == "started it"
    seat.assert_nothing_left()


@pytest.mark.parametrize("over", [_LATER, _KILLED])
def test_work_that_is_over_before_the_result_is_none(over: dict[str, Any], tmp_path: Path) -> None:
    assert fake_turn(tmp_path, _STARTED, over).run("run", "go").code == 0


def test_agent_teams_stay_off_whatever_the_caller_has_set(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    seat.env["CLAUDE_CODE_EXPERIMENTAL_AGENT_TEAMS"] = "1"
    seat.env["CLAUDE_AUTO_BACKGROUND_TASKS"] = "1"
    assert seat.run("run", "go").code == 0
    (start,) = cli.starts()
    assert "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS" in start.environment
    assert not {"CLAUDE_CODE_EXPERIMENTAL_AGENT_TEAMS", "CLAUDE_AUTO_BACKGROUND_TASKS"} & set(
        start.environment
    )
