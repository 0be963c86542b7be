"""Questions at the terminal: only what is typed after one answers it, and it stays on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.testing import Answer, Simulator, Text, ToolRound, ToolUse
from tests.e2e.driving import Seat
from tests.e2e.serving import serving
from tests.e2e.terminal import Terminal

QUESTION = "Allow it? [y/N] "


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    write = ToolUse("Write", {"file_path": str(tmp_path / "work" / "made.txt"), "content": "allowed"})
    simulator.script("play", [ToolRound(call=write, answer=Answer(content=(Text("done"),)))])
    return Seat(tmp_path, claude_path, simulator, "play")


def test_what_was_typed_before_a_question_does_not_answer_it(seat: Seat) -> None:
    with Terminal(seat, "run", "--tools", "Write", "write") as terminal:
        terminal.read_until("checking the wallet")
        terminal.type("y")
        terminal.answer(QUESTION, "n")
        shown = terminal.finish()
    assert shown.code == 0
    assert not (seat.cwd / "made.txt").exists()
    assert "note: not allowed: Write" in shown.stdout


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_yes_after_the_question_counts(options: tuple[str, ...], seat: Seat) -> None:
    with Terminal(seat, "run", "--tools", "Write", "write", *options) as terminal:
        terminal.answer(QUESTION, "y")
        assert terminal.finish().code == 0
    assert (seat.cwd / "made.txt").read_text() == "allowed"


@pytest.mark.parametrize("served", [False, True])
def test_the_status_line_leaves_a_question_on_the_screen(served: bool, seat: Seat) -> None:
    def ask() -> None:
        with Terminal(seat, "run", "--tools", "Write", "write") as terminal:
            terminal.read_until(QUESTION)
            # Longer than two periods of the status line.
            assert terminal.is_quiet_for(1.2)
            terminal.type("n")
            assert terminal.finish().code == 0

    if served:
        with serving(seat):
            ask()
    else:
        ask()
