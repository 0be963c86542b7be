"""How a run ends before its time: exit 130, a receipt, `cancelled` in the ledger, and nothing left behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from oneseat.testing import Behaviour, Simulator
from oneseat.testing.fake_cli import IgnoreSignals, Replay, Say, Wait

from .driving import Done, Live, Seat, check_snapshot, fake_seat

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


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_while_the_answer_comes(number: int, seat: Seat, simulator: Simulator) -> None:
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("hang-mid-stream")
    with seat.start("run", "hello") as live:
        live.read_until("a stream")
        live.signal(number)
        ended = live.finish()
    assert assert_cancelled(seat, ended, "a stream\n")["result"]["text"] == "a stream"


def test_a_signal_before_anything_is_sent(tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    wrapper, started = tmp_path / "claude", tmp_path / "started"
    os.mkfifo(started)
    wrapper.write_text(
        f'#!/bin/sh\n: > {shlex.quote(str(started))}\nexec {shlex.quote(str(claude_path))} "$@"\n'
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
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    stubborn = Behaviour(on_user=(IgnoreSignals(), Replay(str(gate)), Wait("forever")))
    seat, cli = fake_seat(tmp_path, stubborn)
    with seat.start("run", "hello") as live:
        gate.write_bytes(b"")
        (child,) = cli.starts()
        live.signal()
        # The CLI ignores what it is asked, so one second later it still runs; the second signal comes while it is being ended.
        psutil.Process(child.pid)
        live.signal()
        ended = live.finish()
    assert_cancelled(seat, ended)
