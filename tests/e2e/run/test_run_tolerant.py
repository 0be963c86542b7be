"""Runs on a CLI whose lines the strict decoder refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import Behaviour
from oneseat.testing.fake_cli import Replay, Say
from tests.e2e.driving import fake_seat


def lines(path: Path, *said: dict[str, Any]) -> Replay:
    path.write_text("".join(json.dumps(line) + "\n" for line in said), "utf-8")
    return Replay(str(path))


def test_an_attempt_is_not_repeated_after_a_tool_was_given_half_of_a_character(tmp_path: Path) -> None:
    call = {"type": "tool_use", "id": "t", "name": "Write", "input": {"content": "half \ud83d"}}
    done = {"type": "tool_result", "tool_use_id": "t", "content": "written \ud83d"}
    overloaded = {"type": "result", "subtype": "success", "is_error": True, "api_error_status": 529}
    acted = lines(
        tmp_path / "acted",
        {"type": "assistant", "message": {"content": [call]}},
        {"type": "user", "message": {"content": [done]}},
        {**overloaded, "result": "Overloaded \ud83d"},
    )
    seat, cli = fake_seat(tmp_path, Behaviour(on_user=(acted,)))
    run = seat.run("run", "--json", "--tools", "edit", "hello")
    assert (run.code, run.result["error"]["code"]) == (7, "provider.overloaded")
    assert len(cli.starts()) == 1


@pytest.mark.parametrize(
    "odd", [{"unifiedWindows": None}, {"resetsAt": "2026-12-01"}, {"isUsingOverage": "yes"}]
)
def test_extra_usage_stops_a_run_whatever_else_its_line_says(tmp_path: Path, odd: dict[str, Any]) -> None:
    info = {"status": "rejected", "rateLimitType": "five_hour", "isUsingOverage": True} | odd
    limit = lines(tmp_path / "limit", {"type": "rate_limit_event", "rate_limit_info": info})
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(limit, Say("hello"))))
    assert seat.run("run", "--timeout", "60", "hello").code == 4


@pytest.mark.parametrize(
    "odd", [{"total_cost_usd": "0.01"}, {"is_error": None}, {"errors": [{"message": "x"}]}, {"usage": []}]
)
def test_a_result_ends_a_run_whatever_a_field_holds(tmp_path: Path, odd: dict[str, Any]) -> None:
    result = {"type": "result", "subtype": "success", "is_error": False, "result": "hello"} | odd
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("hello"), lines(tmp_path / "result", result))))
    run = seat.run("run", "--timeout", "60", "--json", "hello")
    assert (run.code, run.result["text"]) == (0, "hello")
