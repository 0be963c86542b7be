"""How a run ends before its time: exit 130, a receipt, `cancelled` in the ledger, and nothing left behind."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from oneseat.testing import Behaviour, Simulator, write_fake_cli
from oneseat.testing.fake_cli import Grandchild, IgnoreSignals, Initialized, Print, Replay, Result, Say, Wait
from tests.e2e.driving import Done, Seat, fake_seat

ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    return Seat(tmp_path, claude_path, simulator)


def assert_cancelled(seat: Seat, ended: Done, text: str = "") -> dict[str, Any]:
    """What holds however a run was cancelled. Returns what `show` knows of it."""
    assert (ended.code, ended.stdout) == (130, text), ended
    seat.assert_nothing_left()
    (run,) = seat.runs()
    assert (run["status"], run["error_code"]) == ("cancelled", "cancelled")
    if ended.stderr:
        assert ended.stderr.startswith(
            "error: The run was cancelled before it finished\n  code cancelled\n"
        ), ended
        assert ended.stderr.splitlines()[-1].startswith("receipt: wallet ")
        assert ended.stderr.rstrip().endswith(f"run {run['id']}")
    shown: dict[str, Any] = seat.run("show", run["id"], "--json").result
    assert shown["result"]["status"] == "cancelled"
    return shown


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_while_waiting_for_the_model(number: int, seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang")
    with seat.start("run", "hello") as live:
        simulator.wait_for_messages()
        live.signal(number)
        ended = live.finish()
    receipt = assert_cancelled(seat, ended)["result"]["receipt"]
    # Something was sent, so nobody can say that nothing was used.
    assert (receipt["verdict"], receipt["usage"]["output_tokens"]) == ("unverified", None)


def test_a_signal_while_the_answer_comes(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang-mid-stream")
    with seat.start("run", "hello") as live:
        live.read_until("a stream")
        live.signal(signal.SIGTERM)  # all three are one from the test above on
        ended = live.finish()
    assert assert_cancelled(seat, ended, "a stream\n")["result"]["text"] == "a stream"


def test_a_signal_before_anything_is_sent(tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    wrapper, started = tmp_path / "claude", tmp_path / "started"
    os.mkfifo(started)
    wrapper.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || : > {shlex.quote(str(started))}\nexec {shlex.quote(str(claude_path))} "$@"\n'
    )
    wrapper.chmod(0o700)
    seat = Seat(tmp_path, wrapper, simulator)
    with seat.start("run", "hello") as live:
        started.read_bytes()  # returns when the wrapper is at work; the CLI behind it takes half a second more
        live.signal()
        ended = live.finish()
    receipt = assert_cancelled(seat, ended)["result"]["receipt"]
    assert (receipt["verdict"], receipt["attempts"], simulator.messages()) == ("nothing_sent", 0, [])


def test_an_impatient_second_signal_changes_nothing(tmp_path: Path) -> None:
    gates = [tmp_path / name for name in ("first", "second")]
    for gate in gates:
        os.mkfifo(gate)
    # Its stdin is closed when oneseat ends it: from then on the test holds it.
    held = tuple(Replay(str(gate)) for gate in gates)
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("half an answer"),), on_stdin_closed=held))
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until("half an answer")
        live.signal()
        gates[0].write_bytes(b"")
        live.signal()
        gates[1].write_bytes(b"")
        ended = live.finish()
    assert (ended.code, ended.lines[-1]["status"]) == (130, "cancelled")
    seat.assert_nothing_left()
    assert seat.runs()[0]["status"] == "cancelled"


def test_a_stubborn_cli_and_its_tools_are_ended_all_the_same(tmp_path: Path) -> None:
    stubborn = Behaviour(on_user=(IgnoreSignals(), Grandchild(), Say("half an answer"), Wait("forever")))
    seat, cli = fake_seat(tmp_path, stubborn)
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until("half an answer")
        (tool,) = cli.grandchildren()
        assert psutil.pid_exists(tool)
        live.signal()
        ended = live.finish()
    assert (ended.code, ended.lines[-1]["text"]) == (130, "half an answer")
    seat.assert_nothing_left()


@pytest.mark.parametrize("scenario", ["hang", "hang-mid-stream"])
def test_a_reader_that_goes_away_ends_the_run(scenario: str, seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url(scenario)
    with seat.start("run", "hello") as live:
        simulator.wait_for_messages()
        if scenario == "hang-mid-stream":
            live.read_until("a stream")
        live.stop_reading()
        ended = live.finish()
    assert ended.code == 130, ended
    assert_cancelled(seat, ended._replace(stdout=""))


def test_a_pipe_whose_both_ends_are_gone(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang")
    with seat.start("run", "hello", stderr=subprocess.STDOUT) as live:
        simulator.wait_for_messages()
        live.stop_reading()
        ended = live.finish()
    assert_cancelled(seat, ended)


def test_a_killed_oneseat_is_cleared_away_by_the_next_command(seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang")
    with seat.start("run", "hello") as live:
        simulator.wait_for_messages()
        live.signal(signal.SIGKILL)
        live.finish()
    assert list(seat.temporary.iterdir())
    (run,) = seat.runs()
    seat.assert_nothing_left()
    assert (run["status"], run["error_code"]) == ("cancelled", "cancelled")
    result = seat.run("show", run["id"], "--json").result["result"]
    assert f"`{live.pid}`" in result["error"]["message"]
    assert (result["receipt"]["verdict"], result["receipt"]["cost_usd"]) == ("unverified", None)


def test_a_hangup_that_is_ignored_ends_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    behaviour = Behaviour(
        on_user=(Say("half an answer"), Replay(str(gate)), Result("half an answer, and the rest"))
    )
    seat, _ = fake_seat(tmp_path, behaviour)
    seat.command = ["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "nohup", *seat.command]
    with seat.start("run", "hello", "--stream-json") as live:
        live.read_until("half an answer")
        live.signal(signal.SIGHUP)
        gate.write_bytes(b"")
        ended = live.finish()
    assert (ended.code, ended.lines[-1]["status"]) == (0, "completed")


@pytest.mark.parametrize("number", ENDINGS)
def test_a_doctor_that_is_stopped_leaves_nothing(number: int, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seat, _ = fake_seat(tmp_path, Behaviour(on_start=(Replay(str(gate)), Wait("stdin_closed"))))
    with seat.start("doctor") as live:
        gate.write_bytes(b"")
        live.signal(number)
        ended = live.finish()
    assert (ended.code, "error: Cancelled" in ended.stderr) == (130, True)
    seat.assert_nothing_left()


def test_a_signal_while_the_end_is_written_changes_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seat, _ = fake_seat(tmp_path, Behaviour(on_stdin_closed=(Replay(str(gate)),)))
    with seat.start("run", "hello", "--json") as live:
        # It opens the gate when its stdin is closed: the answer is there, and its end is all that is left to write.
        with gate.open("wb") as held, closing(sqlite3.connect(seat.ledger, isolation_level=None)) as ledger:
            ledger.execute("BEGIN IMMEDIATE")
            held.close()
            while list(seat.temporary.iterdir()):
                assert live.process.poll() is None
            live.signal()
            live.signal(signal.SIGTERM)
            ledger.execute("ROLLBACK")
        ended = live.finish()
    (run,) = seat.runs()
    assert (ended.result["status"], ended.code) == (run["status"], 0 if run["status"] == "completed" else 130)
    assert ended.result["text"] == "ok from the fake"
    assert seat.run("show", run["id"], "--json").result["result"]["error"] == ended.result["error"]
    seat.assert_nothing_left()


def test_a_cli_that_reads_no_more_in_the_middle_of_a_long_prompt(tmp_path: Path) -> None:
    cleared = {"subtype": "success", "request_id": "oneseat-2", "response": {}}
    answer = json.dumps({"type": "control_response", "response": cleared})
    deaf = Behaviour(on_initialize=(Initialized(), Print(f"{answer}\n"), Wait("forever")))
    seat, _ = fake_seat(tmp_path, deaf)
    prompt = tmp_path / "prompt"
    prompt.write_text("long " * 400_000)
    with prompt.open("rb") as stdin, seat.start("run", "-", "--stream-json", stdin=stdin) as live:
        live.read_until("wallet_verified")
        live.signal()
        ended = live.finish()
    assert (ended.code, ended.lines[-1]["status"]) == (130, "cancelled")
    seat.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cli_that_does_not_tell_its_version_ends_with_the_command(number: int, tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    wrapper = tmp_path / "claude"
    wrapper.write_text(f"#!/bin/sh\n: > {shlex.quote(str(started))}\nexec sleep 600\n")
    wrapper.chmod(0o700)
    seat = Seat(tmp_path, wrapper)
    with seat.start("run", "hello") as live:
        started.read_bytes()
        (version,) = psutil.Process(live.pid).children()
        version.suspend()
        live.signal(number)
        ended = live.finish()
    assert ended.code == (-signal.SIGKILL if number is signal.SIGKILL else 130)
    assert psutil.wait_procs([version], timeout=20)[1] == []
    seat.runs()  # a killed one's books are closed by the next command
    seat.assert_nothing_left()


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_an_orphan_that_dropped_every_mark_ends_with_the_command(number: int | None, tmp_path: Path) -> None:
    gate, named = tmp_path / "gate", tmp_path / "named"
    for fifo in (gate, named):
        os.mkfifo(fifo)
    fake = write_fake_cli(tmp_path / "fake", Behaviour(on_user=(Replay(str(gate)), Say(), Result())))
    orphan = f"(env -i setsid sh -c 'echo $$ > {named}; exec sleep 600' &)"
    wrapper = tmp_path / "claude"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {orphan}\nexec {fake.path} "$@"\n')
    wrapper.chmod(0o700)
    seat = Seat(tmp_path, wrapper)
    with seat.start("run", "hello") as live:
        left = psutil.Process(int(named.read_text()))
        if number is None:
            gate.write_bytes(b"")
        else:
            live.signal(number)
        ended = live.finish()
    assert ended.code == (0 if number is None else 130)
    assert psutil.wait_procs([left], timeout=0)[1] == []
    seat.assert_nothing_left()


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_while_the_result_is_printed_does_not_cut_it(number: int, tmp_path: Path) -> None:
    # More than a pipe holds, so that the command is still printing when the signal comes.
    text = "word " * 60_000
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say(text), Result(text))))
    with seat.start("run", "hello", "--json") as live:
        live.read_until("{")
        live.signal(number)
        ended = live.finish()
    assert (ended.code, ended.result["status"], ended.result["text"]) == (0, "completed", text)
    (run,) = seat.runs()
    assert (run["id"], run["status"]) == (ended.result["run_id"], "completed")


def test_a_signal_ends_a_command_whose_reader_reads_nothing(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("half"), Result("word " * 60_000))))
    with seat.start("run", "hello", "--json") as live:
        live.read_until("{")
        live.signal()
        code = live.process.wait()
        ended = live.finish()
    (run,) = seat.runs()
    assert (code, run["status"]) == (130, "completed")
    assert f"oneseat show {run['id']}" in ended.stderr
    assert ended.stdout.count('"run_id"') == 1


def test_a_signal_behind_the_result_adds_nothing_to_it(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour())
    for _ in range(5):
        with seat.start("run", "hello", "--json") as live:
            live.read_until("}\n")
            live.signal()
            ended = live.finish()
        assert (ended.code, ended.result["status"], ended.stdout.count("\n")) == (0, "completed", 1)
