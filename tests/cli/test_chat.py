"""``oneseat chat``: a conversation on a pipe and on a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

import oneseat
from oneseat.testing import Answer, Echo, Simulator, Text
from tests.e2e.driving import Seat, fake_seat, live_in
from tests.e2e.terminal import Terminal


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    return seat


def test_each_line_of_a_pipe_is_answered_with_its_receipt(seat: Seat) -> None:
    ended = seat.run("chat", stdin=b"one\n\n  \ntwo")
    assert (ended.code, ended.stdout) == (0, "ok from the fake\n" * 2)
    assert ended.stderr.count("receipt: ") == 2
    assert [run["status"] for run in seat.runs()] == ["completed", "completed"]
    seat.assert_nothing_left()


def test_json_is_one_object_for_each_answer(seat: Seat) -> None:
    ended = seat.run("chat", "--json", "-q", stdin=b"one\ntwo\n")
    assert [json.loads(line)["status"] for line in ended.stdout.splitlines()] == ["completed", "completed"]
    assert ended.stderr == ""


def test_commands_are_no_messages(seat: Seat) -> None:
    (seat.cwd / "notes.txt").write_text("three notes")
    ended = seat.run("chat", stdin=b"/help\n/model opus\n/file notes.txt\n/file\n/end\nnever said\n")
    assert (ended.code, ended.stdout, seat.runs()) == (0, "", [])
    for shown in ("/model NAME", "/end", "model: opus", "notes.txt"):
        assert shown in ended.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"/fiel x", "usage.arguments"),
        (b"/file nowhere", "usage.unreadable_file"),
        (b"/file -", "usage.unreadable_file"),
        (b"\xff\xfe", "usage.invalid_utf8"),
    ],
)
def test_on_a_pipe_the_first_failure_ends_it(seat: Seat, line: bytes, code: str) -> None:
    ended = seat.run("chat", stdin=line + b"\nhello\n")
    assert (ended.code, ended.stdout) == (2, "")
    assert f"code {code}" in ended.stderr


def test_what_no_conversation_has_is_refused(seat: Seat) -> None:
    for option in (
        ("--project", "shop"),
        ("--schema", "x.json"),
        ("--tools", "Bsh"),
        ("--provider", "nobody"),
    ):
        assert seat.run("chat", *option, stdin=b"hello\n").code == 2


def test_a_person_goes_on_after_an_answer_was_stopped(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    slow = Answer(content=(Text("one two three four five six"),), pace_s=1.0)
    simulator.script("chat", [slow, Answer(content=(Echo(),)), Answer(content=(Echo(),))])
    seat = Seat(tmp_path, claude_path, simulator, "chat")
    with Terminal(seat, "chat") as terminal:
        terminal.answer("> ", "count")
        terminal.read_until("two")
        terminal.press("\x03")
        terminal.read_until("code cancelled")
        terminal.answer("> ", "/model opus")
        terminal.answer("> ", "go on")
        terminal.read_until("go on\r\n")
        assert "opus" in terminal.read_until("run ")
        terminal.read_until("> ")
        terminal.press("\x04")
        ended = terminal.finish()
    assert ended.code == 0
    assert [run["status"] for run in seat.runs()] == ["completed", "cancelled"]
    seat.assert_nothing_left()


def test_ctrl_c_at_the_prompt_asks_for_a_second_one(seat: Seat) -> None:
    with Terminal(seat, "chat") as terminal:
        terminal.read_until("> ")
        terminal.press("\x03")
        if terminal.is_quiet_for(3):
            # Before the line is read, Python notes a signal and goes on to read, as in `Terminal.interrupt`.
            terminal.press("\x03")
        terminal.read_until("ends the conversation\r\n> ")
        terminal.answer("", "hello")
        terminal.read_until("receipt: ")
        terminal.interrupt("> ")
        ended = terminal.finish()
    assert ended.code == 0
    assert [run["status"] for run in seat.runs()] == ["completed"]


def test_a_signal_ends_a_conversation_that_waits(seat: Seat) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", 0) as pipe, seat.start("chat", stdin=reading) as live:
        os.close(reading)
        pipe.write(b"hello\n")
        live.read_until("ok from the fake\n")
        live.signal(signal.SIGTERM)
        ended = live.finish()
    assert ended.code == 130
    seat.assert_nothing_left()


async def test_a_run_that_is_cancelled_between_two_events_leaves_the_conversation_open(
    tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Answer(content=(Text("one two three four five six"),), pace_s=1.0)
    simulator.script("slow", [slow, Answer(content=(Echo(),))])
    seat = Seat(tmp_path, claude_path, simulator, "slow")
    live_in(seat, monkeypatch)
    began = asyncio.Event()
    async with oneseat.connect() as app, app.conversation() as talk:

        async def count() -> oneseat.RunResult | None:
            async with talk.stream(oneseat.make_request("count")) as run:
                async for event in run:
                    if isinstance(event, oneseat.events.TextDelta):
                        began.set()
            return run.result

        counting = asyncio.create_task(count())
        await began.wait()
        counting.cancel()
        await asyncio.wait([counting])
        result = await talk.run(oneseat.make_request("go on"))
    assert (result.status, result.text) == ("completed", "go on")
