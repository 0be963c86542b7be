"""The caller's own Python functions as tools, through the real CLI on the simulator."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import pytest

import oneseat
from oneseat import make_request
from oneseat.app.wiring import opened_app
from oneseat.contract.events import Event, Question, Started, ToolCall, ToolResult
from oneseat.contract.receipt import RunResult
from oneseat.installation import Installation
from oneseat.testing import Answer, Simulator, Text, ToolRound, ToolUse

Runs = Callable[..., Awaitable[tuple[RunResult, list[Event]]]]
DONE = Answer(content=(Text("done"),))


def running(simulator: Simulator, claude: Path, tmp_path: Path, settings: str = "") -> Runs:
    folder = tmp_path / "home" / "config"
    folder.mkdir(parents=True)
    (folder / "oneseat.toml").write_text(settings)

    async def run(*functions: Callable[..., Any], **options: Any) -> tuple[RunResult, list[Event]]:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "ONESEAT_HOME": str(tmp_path / "home"),
            "ONESEAT_CLAUDE_PATH": str(claude),
            "ONESEAT_SIMULATOR_URL": simulator.url("call", "case"),
        }
        request = make_request("go", cwd=tmp_path, functions=functions, **options)
        async with opened_app(Installation(env)) as app, app.stream(request) as stream:
            events = [event async for event in stream]
        assert stream.result is not None
        return stream.result, events

    return run


@pytest.fixture
def either(simulator: Simulator, claude: Path, tmp_path: Path) -> Runs:
    simulator.script("call", [DONE])
    return running(simulator, claude, tmp_path)


@pytest.fixture
def runs(simulator: Simulator, claude_path: Path, tmp_path: Path) -> Runs:
    simulator.script("call", [DONE])
    return running(simulator, claude_path, tmp_path)


def calling(simulator: Simulator, name: str, **given: Any) -> None:
    simulator.script("call", [ToolRound(call=ToolUse(f"mcp__oneseat__{name}", given), answer=DONE)])


def results(events: list[Event]) -> list[tuple[str, bool]]:
    return [(event.text, event.is_error) for event in events if isinstance(event, ToolResult)]


class Line(msgspec.Struct):
    item: str
    count: int = 1


@oneseat.tool
def total(lines: list[Line], price: Annotated[float, msgspec.Meta(description="of one, in euros")]) -> float:
    """What these lines cost together."""
    return price * sum(line.count for line in lines)


async def test_a_function_is_offered_called_and_answered_without_a_question(
    either: Runs, simulator: Simulator
) -> None:
    calling(simulator, "total", lines=[{"item": "tea", "count": 3}, {"item": "cup"}], price=2.5)
    result, events = await either(total)
    assert (result.status, result.text, result.denials) == ("completed", "done", ())
    assert results(events) == [("10.0", False)]
    assert not any(isinstance(event, Question) for event in events)
    (started,) = [event for event in events if isinstance(event, Started)]
    assert (started.mcp_servers, started.tools) == (("oneseat:connected",), ("mcp__oneseat__total",))
    (offered,) = simulator.messages("case")[0].body["tools"]
    assert offered["description"] == "What these lines cost together."
    assert offered["input_schema"]["properties"]["price"]["description"] == "of one, in euros"
    assert offered["input_schema"]["required"] == ["lines", "price"]


class SecretError(Exception):
    pass


@oneseat.tool
async def fails() -> NoReturn:
    """Fails."""
    raise SecretError("no way in with sk-ant-api03-" + "A" * 40)


@oneseat.tool
def leaves() -> NoReturn:
    """Leaves."""
    raise SystemExit(3)


@oneseat.tool
def huge() -> str:
    """Says a lot."""
    return "x" * 1_000_001


async def test_what_goes_wrong_in_a_function_is_told_to_the_model_and_the_run_goes_on(
    runs: Runs, simulator: Simulator
) -> None:
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "total": ({"lines": "tea", "price": 1}, "lines"),  # what does not fit never reaches the function
        "fails": ({}, "SecretError: no way in with "),
        "leaves": ({}, "SystemExit: 3"),
        "huge": ({}, "1,000,001 of 1,000,000"),
    }
    calls = tuple(ToolUse(f"mcp__oneseat__{name}", given) for name, (given, _) in wrong.items())
    simulator.script("call", [Answer(content=calls), DONE])
    result, events = await runs(total, fails, leaves, huge)
    assert result.status == "completed"
    told = results(events)
    assert [is_error for _, is_error in told] == [True] * len(wrong)
    texts = [text for text, _ in told]
    assert all(any(said in text for text in texts) for _, said in wrong.values()), texts
    assert "AAAA" not in "".join(texts)
    assert "Traceback" not in "".join(texts)


async def test_calls_that_change_nothing_go_on_side_by_side(either: Runs, simulator: Simulator) -> None:
    both = threading.Barrier(2, timeout=30)

    @oneseat.tool(read_only=True)
    def meet(who: str) -> str:
        """Returns when two calls go on at once."""
        both.wait()
        return who

    calls = tuple(ToolUse("mcp__oneseat__meet", {"who": who}) for who in ("first", "second"))
    simulator.script("call", [Answer(content=calls), DONE])
    result, events = await either(meet)
    assert result.status == "completed"
    assert sorted(results(events)) == [("first", False), ("second", False)]


async def test_output_is_read_while_a_function_works(runs: Runs, simulator: Simulator) -> None:
    seen = asyncio.Event()

    @oneseat.tool(read_only=True)
    async def first() -> str:
        """Waits for the other call to be seen."""
        await asyncio.wait_for(seen.wait(), 30)
        return "first"

    @oneseat.tool(read_only=True)
    async def second() -> str:
        """Is seen."""
        seen.set()
        return "second"

    calls = (ToolUse("mcp__oneseat__first", {}), ToolUse("mcp__oneseat__second", {}))
    simulator.script("call", [Answer(content=calls), DONE])
    result, events = await runs(first, second)
    assert (result.status, len(results(events))) == ("completed", 2)


async def test_cancelling_the_run_cancels_its_functions(
    simulator: Simulator, claude_path: Path, tmp_path: Path
) -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    @oneseat.tool
    async def waits() -> None:
        """Never returns by itself."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    calling(simulator, "waits")
    task = asyncio.ensure_future(running(simulator, claude_path, tmp_path)(waits))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()


async def test_a_function_that_never_returns_is_a_tool_that_stalls(
    simulator: Simulator, claude_path: Path, tmp_path: Path
) -> None:
    never = threading.Event()

    @oneseat.tool
    def hangs() -> None:
        """Never returns."""
        never.wait()

    calling(simulator, "hangs")
    run = running(simulator, claude_path, tmp_path, "[watchdog]\ntool_s = 1\n")
    result, events = await run(hangs)
    never.set()
    assert result.error is not None
    assert result.error.code == "stall.tool"
    assert any(isinstance(event, ToolCall) for event in events)
