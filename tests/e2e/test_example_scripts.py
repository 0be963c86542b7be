"""The eight scripts that a newcomer begins with, run as they are: each is its own program, here in this process."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oneseat.testing import Answer, Behaviour, Simulator, Structured, Text, ToolRound, ToolUse
from oneseat.testing.fake_cli import Result, Say, Wait

from .driving import Seat, fake_seat, live_in

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Script = Callable[..., list[str]]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Script:
    """Runs an example with these arguments and returns the lines that it prints."""

    def run(name: str, *arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capfd.readouterr().out.splitlines()

    return run


def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour | str = "ok") -> Seat:
    seat, _ = fake_seat(tmp_path, behaviour)
    live_in(seat, monkeypatch)
    return seat


def real(
    tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, play: str
) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator, play)
    live_in(seat, monkeypatch)
    return seat


def test_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    seat = quick(tmp_path, monkeypatch)
    assert script("one_answer.py", "Say", "ok") == ["ok from the fake", "paid by: simulator (unverified)"]
    seat.assert_nothing_left()


def test_stream_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    seat = quick(tmp_path, monkeypatch)
    *_, last = script("stream_answer.py")
    assert last.startswith("completed, ")
    seat.assert_nothing_left()


def test_typed_answer(
    tmp_path: Path,
    claude_path: Path,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
) -> None:
    lines = [{"article": "tea", "amount": 4.5}, {"article": "cup", "amount": 2}]
    simulator.script("invoice", [Answer(content=(Structured({"seller": "Shop", "lines": lines}),))])
    seat = real(tmp_path, claude_path, simulator, monkeypatch, "invoice")
    (seat.cwd / "invoice.txt").write_text("tea 4.50, cup 2.00")
    assert script("typed_answer.py", "invoice.txt") == ["tea: 4.50", "cup: 2.00", "Shop: 6.50"]
    seat.assert_nothing_left()


def test_python_tool(
    tmp_path: Path,
    claude_path: Path,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
) -> None:
    call = ToolUse("mcp__oneseat__price_of", {"article": "tea", "count": 3})
    simulator.script("tea", [ToolRound(call=call, answer=Answer(content=(Text("13.50 euros"),)))])
    seat = real(tmp_path, claude_path, simulator, monkeypatch, "tea")
    assert script("python_tool.py") == ["13.50 euros"]
    assert "13.5" in str(simulator.messages()[-1].body["messages"][-1])
    seat.assert_nothing_left()


def test_project_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    seat = quick(tmp_path, monkeypatch)
    assert script("project_chat.py") == ["1: ok from the fake", "2: ok from the fake"]
    assert script("project_chat.py", "And now?") == ["3: ok from the fake"]
    seat.assert_nothing_left()


def test_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    seat = quick(tmp_path, monkeypatch)
    first, second, last = script("many_at_once.py", "Name a river", "Name a hill")
    assert (first, second) == ("Name a river: ok from the fake", "Name a hill: ok from the fake")
    assert last.startswith("list price: ")
    assert [run["status"] for run in seat.runs()] == ["completed", "completed"]
    seat.assert_nothing_left()


def test_cancel_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    seat = quick(tmp_path, monkeypatch, Behaviour(on_user=(Say("one"), Wait("forever"), Result())))
    stopping, ended = script("cancel_run.py", "0.5", "Count")[-2:]
    # A busy machine may not have come as far as the first word.
    assert (stopping, ended in {"cancelled: 'one'", "cancelled: ''"}) == ("stopping", True)
    assert seat.runs()[0]["status"] == "cancelled"
    seat.assert_nothing_left()


def test_handle_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    quick(tmp_path, monkeypatch, "signed-out")
    for prompt, code, said in ("hello", 1, "failed: provider."), (" ", 2, "please correct: "):
        with pytest.raises(SystemExit) as ended:
            script("handle_errors.py", prompt)
        assert (ended.value.code, capfd.readouterr().out.startswith(said)) == (code, True)
