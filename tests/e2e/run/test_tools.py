"""Tools, questions and structured answers through the real CLI on the simulator."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oneseat import make_request
from oneseat.app.wiring import opened_app
from oneseat.contract.errors import UsageError
from oneseat.contract.events import Answered, Event, Question, ToolResult
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import ApprovalCallback, Permission, Tools
from oneseat.installation import Installation
from oneseat.testing import Answer, Simulator, Structured, Text, ToolRound, ToolUse

Runs = Callable[..., Awaitable[tuple[RunResult, list[Event]]]]


@pytest.fixture
def runs(simulator: Simulator, claude_path: Path, tmp_path: Path) -> Runs:
    async def run(
        scenario: str, *, ask: ApprovalCallback | None = None, **options: Any
    ) -> tuple[RunResult, list[Event]]:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "ONESEAT_HOME": str(tmp_path / "home"),
            "ONESEAT_CLAUDE_PATH": str(claude_path),
            "ONESEAT_SIMULATOR_URL": simulator.url(scenario, "case"),
        }
        request = make_request("go", cwd=tmp_path, **options)
        async with opened_app(Installation(env)) as app, app.stream(request, ask=ask) as stream:
            events = [event async for event in stream]
        assert stream.result is not None
        return stream.result, events

    return run


def _writes(simulator: Simulator, target: Path) -> None:
    call = ToolUse("Write", {"file_path": str(target), "content": "hello"})
    simulator.script("write", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))])


async def test_nobody_to_ask_means_no_and_the_run_goes_on(
    runs: Runs, simulator: Simulator, tmp_path: Path
) -> None:
    _writes(simulator, tmp_path / "x.txt")
    result, events = await runs("write", tools="Write")
    assert (result.status, result.text, result.denials) == ("completed", "done", ("Write",))
    assert not (tmp_path / "x.txt").exists()
    answered = next(event for event in events if isinstance(event, Answered))
    assert (answered.allowed, answered.by) == (False, "nobody")


async def test_a_callback_may_say_yes(runs: Runs, simulator: Simulator, tmp_path: Path) -> None:
    _writes(simulator, tmp_path / "x.txt")
    asked: list[Question] = []

    def ask(question: Question) -> bool:
        asked.append(question)
        return True

    result, _ = await runs("write", ask=ask, tools="Write")
    assert (result.status, result.denials) == ("completed", ())
    assert (tmp_path / "x.txt").read_text() == "hello"
    assert (asked[0].tool, asked[0].input["content"]) == ("Write", "hello")


async def test_the_reason_of_a_no_reaches_the_model(runs: Runs, simulator: Simulator, tmp_path: Path) -> None:
    _writes(simulator, tmp_path / "x.txt")

    async def ask(question: Question) -> Permission:
        return Permission(allowed=False, why="not on a Friday")

    result, events = await runs("write", ask=ask, tools="Write")
    assert result.denials == ("Write",)
    assert any(isinstance(event, ToolResult) and event.text == "not on a Friday" for event in events)


async def test_the_edit_profile_writes_in_its_directory_without_asking(
    runs: Runs, simulator: Simulator, tmp_path: Path
) -> None:
    _writes(simulator, tmp_path / "x.txt")
    result, events = await runs("write", tools="edit")
    assert result.status == "completed"
    assert (tmp_path / "x.txt").read_text() == "hello"
    assert not any(isinstance(event, Question) for event in events)


async def test_the_edit_profile_asks_outside_its_directory(
    runs: Runs, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    _writes(simulator, outside / "x.txt")
    result, _ = await runs("write", tools="edit")
    assert result.denials == ("Write",)
    _writes(simulator, outside / "y.txt")
    result, _ = await runs(
        "write", tools=Tools(names=("Write",), mode="acceptEdits", directories=(str(outside),))
    )
    assert (result.denials, (outside / "y.txt").read_text()) == ((), "hello")


async def test_a_tool_that_is_not_there_ends_the_run(runs: Runs) -> None:
    result, _ = await runs("ok", tools="Read,Nope")
    assert result.error is not None
    assert result.error.code == "incomplete.tools_missing"
    assert "Nope" in result.error.message


def test_bypassing_permissions_is_refused_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(UsageError) as raised:
        make_request("x", tools=Tools(names=("Bash",), mode="bypassPermissions"))
    assert raised.value.info.code == "usage.bypass_as_root"


@dataclass
class Reply:
    answer: int
    why: str


async def test_an_answer_that_fits_is_structured(runs: Runs, simulator: Simulator) -> None:
    result, _ = await runs("structured", schema=Reply)
    assert (result.status, result.structured) == ("completed", {"answer": 1, "why": "text"})
    assert len(simulator.messages("case")) == 1


async def test_text_that_fits_is_taken_as_the_structure(runs: Runs, simulator: Simulator) -> None:
    simulator.script("text", [Answer(content=(Text('{"answer": 4, "why": "b"}'),))])
    result, _ = await runs("text", schema=Reply)
    assert (result.status, result.structured) == ("completed", {"answer": 4, "why": "b"})


async def test_one_repair_turn_and_no_more(runs: Runs, simulator: Simulator) -> None:
    no, yes = (
        Answer(content=(Text("I would rather not"),)),
        Answer(content=(Structured({"answer": 1, "why": "y"}),)),
    )
    # The CLI itself asks once more when the tool was not called; the third request is oneseat's repair turn.
    simulator.script("late", [no, no, yes])
    result, _ = await runs("late", schema=Reply)
    assert (result.status, result.structured) == ("completed", {"answer": 1, "why": "y"})
    assert "does not fit the schema" in str(simulator.messages("case")[2].body["messages"])
    simulator.clear()
    simulator.script("never", [no])
    result, _ = await runs("never", schema=Reply)
    assert result.error is not None
    assert (result.error.code, result.text) == ("incomplete.schema_unmet", "I would rather not")
    assert len(simulator.messages("case")) == 4


async def test_a_shape_the_model_cannot_get_right_is_not_success(runs: Runs, simulator: Simulator) -> None:
    simulator.script("wrong", [Answer(content=(Structured({"answer": "x", "why": 1}),))])
    result, _ = await runs("wrong", schema=Reply)
    assert result.error is not None
    assert result.error.code == "incomplete.schema_unmet"
    # The CLI itself keeps nothing of it.
    assert result.structured == {"answer": "x", "why": 1}


async def test_the_tokens_of_all_turns_are_on_the_receipt(runs: Runs, simulator: Simulator) -> None:
    simulator.script("never", [Answer(content=(Text("one two three"),))])
    result, _ = await runs("never", schema=Reply)
    assert result.receipt.usage.output_tokens == 12
