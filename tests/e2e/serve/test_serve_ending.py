"""How a server ends, and how runs on it end: nothing is lost, nothing is paid for nobody, and what is said is true."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil
import pytest

from oneseat.host.endpoint import UnixEndpoint
from oneseat.testing import Behaviour, Simulator
from oneseat.testing.fake_cli import Replay, Result, Say
from tests.e2e.driving import Live, Seat, fake_seat
from tests.e2e.serving import owners, serving, status


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Iterator[Seat]:
    seat = Seat(tmp_path, claude_path, simulator, "hang-mid-stream")
    yield seat
    seat.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_cancels_the_run_on_the_server_and_waits_for_its_receipt(number: int, seat: Seat) -> None:
    with serving(seat) as live:
        with seat.start("run", "hello") as client:
            client.read_until("a stream")
            client.signal(number)
            ended = client.finish()
        assert (ended.code, ended.stdout) == (130, "a stream\n")
        assert ended.stderr.startswith("error: The run was cancelled before it finished\n  code cancelled\n")
        (run,) = seat.runs()
        assert ended.stderr.rstrip().endswith(f"run {run['id']}")
        assert (run["status"], owners(seat)) == ("cancelled", [live.pid])


def test_a_reader_that_goes_away_cancels_the_run_on_the_server(seat: Seat) -> None:
    with serving(seat):
        with seat.start("run", "hello") as client:
            client.read_until("a stream")
            client.stop_reading()
            assert client.finish().code == 130
        assert seat.runs()[0]["status"] == "cancelled"


def test_a_killed_client_does_not_go_on_spending(seat: Seat) -> None:
    with serving(seat) as live, seat.start("run", "hello") as client:
        client.read_until("a stream")
        started = [each for each in psutil.Process(live.pid).children(recursive=True) if is_cli(each)]
        # As soon as the answer has begun, the next process is started, which waits for another run.
        warm = {each["pid"] for each in status(seat)["warm"]}
        (cli,) = [each for each in started if each.pid not in warm]
        client.signal(signal.SIGKILL)
        client.finish()
        cli.wait(30)
    # The server has ended by now, and no run goes on without its end in the ledger.
    assert [run["status"] for run in seat.runs()] == ["cancelled"]


def is_cli(process: psutil.Process) -> bool:
    return "stream-json" in process.cmdline()


def test_a_killed_server_is_told_by_its_client_with_what_the_ledger_knows(
    seat: Seat, simulator: Simulator
) -> None:
    with seat.start("serve", "--no-http") as live:
        live.read_until("stop with Ctrl-C\n")
        with seat.start("run", "hello", "--stream-json") as client:
            client.read_until("text_delta")
            live.signal(signal.SIGKILL)
            live.finish()
            ended = client.finish()
    result = ended.lines[-1]
    assert (ended.code, result["status"], result["error"]["code"]) == (7, "failed", "provider.server_gone")
    assert f"`{live.pid}`" in result["error"]["message"]
    # Sent, so nobody can say that nothing was used.
    assert (result["receipt"]["verdict"], result["receipt"]["cost_usd"]) == ("unverified", None)
    (run,) = seat.runs()
    assert (run["id"], run["status"]) == (result["run_id"], "cancelled")
    _take_over(seat, simulator)


def _take_over(seat: Seat, simulator: Simulator) -> None:
    """What a killed process held is free, and the file of a lock goes with the next one that takes it."""
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator.url("ok")
    with serving(seat):
        assert seat.run("run", "hello").code == 0


def test_the_next_server_clears_away_what_a_killed_one_left(seat: Seat, simulator: Simulator) -> None:
    with seat.start("serve", "--no-http") as live:
        live.read_until("stop with Ctrl-C\n")
        with seat.start("run", "hello") as client:
            client.read_until("a stream")
            client.signal(signal.SIGKILL)
            live.signal(signal.SIGKILL)
            client.finish()
            live.finish()
    left = seat.processes()
    door = Path(UnixEndpoint(str(seat.home / "state" / "serve")).address)
    assert door.exists()
    assert seat.run("status", "--json").result["server"] is None
    with serving(seat) as second:
        assert status(seat)["pid"] == second.pid
        assert not {process.pid for process in left} & {process.pid for process in seat.processes()}
        with closing(sqlite3.connect(seat.ledger)) as ledger:
            assert ledger.execute("SELECT status FROM runs").fetchall() == [("cancelled",)]
    assert not door.exists()
    _take_over(seat, simulator)


def test_of_two_servers_one_serves_and_the_other_says_who(seat: Seat) -> None:
    with seat.start("serve", "--no-http") as one, seat.start("serve", "--no-http") as other:
        # Which of the two is first, nobody knows: the loser's stdout ends without a word.
        first, second = (one, other) if _listens(one) else (other, one)
        refused = second.finish()
        since = status(seat)["since"]
        assert (refused.code, refused.stdout) == (2, "")
        assert f"already running for this home: `process {first.pid}, since {since}`" in refused.stderr
        assert "code usage.server_running" in refused.stderr
        first.signal(signal.SIGTERM)
        assert first.finish().code == 0


def _listens(live: Live) -> bool:
    assert live.process.stdout is not None
    return bool(live.process.stdout.readline())


def test_stop_waits_until_the_server_is_gone(seat: Seat) -> None:
    assert seat.run("serve", "--stop") == (("serve", "--stop"), 0, "No server is running\n", "")
    with seat.start("serve", "--no-http") as live:
        live.read_until("stop with Ctrl-C\n")
        stopped = seat.run("serve", "--stop")
        assert (stopped.code, stopped.stdout) == (0, f"The server is gone: process {live.pid}\n")
        assert live.process.poll() == 0
        assert seat.run("status", "--json").result["server"] is None


def _held_run(tmp_path: Path, settings: str = "") -> tuple[Seat, Path]:
    """A seat whose CLI says half an answer and then waits for the test."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seat, _ = fake_seat(
        tmp_path, Behaviour(on_user=(Say("half"), Replay(str(gate)), Result("half and the rest")))
    )
    file = seat.home / "config" / "oneseat.toml"
    file.parent.mkdir(parents=True)
    file.write_text(settings, "utf-8")
    return seat, gate


def test_a_server_that_is_told_to_end_lets_its_runs_finish_and_takes_no_new_ones(tmp_path: Path) -> None:
    seat, gate = _held_run(tmp_path)
    with seat.start("serve", "--no-http") as live, ExitStack() as stack:
        live.read_until("stop with Ctrl-C\n")
        with seat.start("run", "hello", "--stream-json") as client:
            client.read_until('"half"')
            stop = stack.enter_context(seat.start("serve", "--stop"))
            live.read_until("Stopping; active runs: 1.")
            assert seat.run("status", "--json").result["server"] is None
            gate.write_bytes(b"")
            ended = client.finish()
            assert (ended.code, ended.lines[-1]["text"]) == (0, "half and the rest")
            assert (stop.finish().code, live.finish().code) == (0, 0)
        assert owners(seat) == [live.pid]
    seat.assert_nothing_left()


@pytest.mark.parametrize("limit", ["second signal", "drain_s"])
def test_runs_that_outlast_the_patience_of_an_ending_server_end_as_cancelled(
    limit: str, tmp_path: Path
) -> None:
    seat, _ = _held_run(tmp_path, "[serve]\ndrain_s = 0\n" if limit == "drain_s" else "")
    with seat.start("serve", "--no-http") as live:
        live.read_until("stop with Ctrl-C\n")
        with (
            seat.start("run", "hello", "--json") as client,
            seat.start("run", "hello", "--stream-json") as other,
        ):
            other.read_until('"half"')
            _runs_on_server(seat, 2)
            live.signal(signal.SIGTERM)
            if limit == "second signal":
                live.read_until("Stopping; active runs: 2.")
                live.signal(signal.SIGTERM)
            ends = [client.finish(), other.finish()]
        ended = live.finish()
        assert (ended.code, ended.stderr) == (0, "")
    assert [(end.code, end.lines[-1]["error"]["code"]) for end in ends] == [(130, "cancelled")] * 2
    assert [run["status"] for run in seat.runs()] == ["cancelled"] * 2
    seat.assert_nothing_left()


def _runs_on_server(seat: Seat, count: int) -> None:
    while len(status(seat)["runs"]) < count:  # each question takes a whole process
        pass
