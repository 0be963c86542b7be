"""Standard input beside a prompt, and a standard output that is closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oneseat.testing import Simulator
from tests.e2e.driving import ONESEAT, Seat, told
from tests.e2e.serving import serving

#: Starts its arguments with a standard output that is closed.
_WITHOUT_OUTPUT = "import os, sys\nos.close(1)\nos.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    return Seat(tmp_path, claude_path, simulator)


def test_a_piped_report_is_sent_after_the_prompt(seat: Seat, simulator: Simulator) -> None:
    assert seat.run("run", "Summarise", stdin="café @/etc/passwd\n-x\n".encode()).code == 0
    (request,) = simulator.messages()
    assert told(request) == "Summarise\n\ncafé @/etc/passwd\n-x\n"


def test_a_running_server_gets_it_too(seat: Seat, simulator: Simulator) -> None:
    with serving(seat):
        assert seat.run("run", "Summarise", stdin=b"all is well").code == 0
    (request,) = simulator.messages()
    assert told(request) == "Summarise\n\nall is well"


def test_a_file_on_standard_input_is_sent_too(seat: Seat, simulator: Simulator) -> None:
    (seat.cwd / "report").write_text("all is well")
    with (
        (seat.cwd / "report").open("rb") as report,
        seat.start("run", "Summarise", stdin=report.fileno()) as live,
    ):
        assert live.finish().code == 0
    (request,) = simulator.messages()
    assert told(request) == "Summarise\n\nall is well"


@pytest.mark.parametrize("stdin", [b"", None])
def test_without_input_only_the_prompt_is_sent(stdin: bytes | None, seat: Seat, simulator: Simulator) -> None:
    assert seat.run("run", "Summarise", stdin=stdin).code == 0
    (request,) = simulator.messages()
    assert told(request) == "Summarise"


def test_an_input_that_never_comes_is_named(seat: Seat) -> None:
    with seat.start("run", "Summarise", stdin=subprocess.PIPE) as live:
        live.read_until("ok from the simulator")
        live.process.wait()
        assert live.process.stderr is not None
        assert b"note: nothing came on standard input" in live.process.stderr.read()


def test_an_input_that_is_no_text_is_refused(seat: Seat, simulator: Simulator) -> None:
    ended = seat.run("run", "Summarise", "--json", stdin=b"PNG \xff\xfe")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.invalid_utf8")
    assert simulator.messages() == []


def test_an_answer_that_nobody_could_read_is_not_asked_for(seat: Seat, simulator: Simulator) -> None:
    seat.command = [sys.executable, "-c", _WITHOUT_OUTPUT, ONESEAT]
    assert (seat.run("run", "hi").code, simulator.messages()) == (2, [])
    assert seat.run("log", "--json").code == 2
    assert seat.run("doctor", "--json").code == 2
