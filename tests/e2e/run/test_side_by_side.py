"""Runs side by side: so many at once, one at a time where a login is about to be renewed, and none in another's way."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from oneseat import make_request
from oneseat.app.wiring import opened_app
from oneseat.contract.events import WalletVerified
from oneseat.contract.receipt import RunResult
from oneseat.installation import Installation
from oneseat.testing import Behaviour, FakeCli, write_fake_cli
from oneseat.testing.fake_cli import Replay, Result, Say, Wait
from tests.e2e.driving import Done, Seat, write_login

QUEUED = '"type":"progress","state":"queued"'
SILENT = Behaviour(on_user=(Wait("forever"),))


def seat_of(root: Path, behaviour: Behaviour, at_once: int) -> tuple[Seat, FakeCli]:
    cli = write_fake_cli(root / "claude", behaviour)
    seat = Seat(root, cli.path)
    (seat.home / "config").mkdir(parents=True)
    (seat.home / "config" / "oneseat.toml").write_text(f"run.max_parallel = {at_once}\n")
    return seat, cli


def cancelled_unsent(ended: Done) -> bool:
    receipt = ended.lines[-1]["receipt"]
    return (ended.code, receipt["verdict"], receipt["attempts"]) == (130, "nothing_sent", 0)


def test_more_runs_than_may_go_on_wait_and_say_so(tmp_path: Path) -> None:
    seat, cli = seat_of(tmp_path, SILENT, 2)
    run = ("run", "hello", "--stream-json")
    with seat.start(*run) as first, seat.start(*run) as second:
        for live in (first, second):
            live.read_until("wallet_verified")
        with (
            seat.start(*run) as third,
            seat.start(*run, "--timeout", "1") as hasty,
            seat.start(*run) as given_up,
        ):
            for live in (third, hasty, given_up):
                live.read_until(QUEUED)
            given_up.signal()
            assert cancelled_unsent(given_up.finish())
            ended = hasty.finish()
            assert (ended.code, ended.lines[-1]["error"]["code"]) == (6, "timeout.total")
            assert len(cli.starts()) == 2
            first.signal(signal.SIGKILL)
            third.read_until("wallet_verified")
            third.signal()
            third.finish()
        second.signal()
        second.finish()
    assert len(cli.starts()) == 3
    seat.run("sessions", "end", "nobody")  # what only reads ends nothing of a killed run
    seat.assert_nothing_left()


@pytest.fixture
def expired(tmp_path: Path) -> tuple[Seat, Path]:
    """A seat whose login has expired, and the gate at which its CLI stands before it asks the model."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seat, _ = seat_of(
        tmp_path, Behaviour(on_user=(Replay(str(gate)), Say("half an answer"), Wait("forever"))), 8
    )
    seat.env["ONESEAT_SIMULATOR_LOGIN"] = "file"
    write_login(seat, time.time() - 60)
    return seat, gate


def test_starts_wait_for_each_other_while_a_login_is_renewed(expired: tuple[Seat, Path]) -> None:
    seat, gate = expired
    other = write_fake_cli(seat.root / "other", Behaviour())
    with seat.start("run", "hello", "--stream-json") as first:
        first.read_until("wallet_verified")
        seat.env["ONESEAT_CLAUDE_PATH"] = str(other.path)
        with seat.start("run", "hello", "--stream-json") as second:
            second.read_until(QUEUED)
            assert other.starts() == []
            gate.write_bytes(b"")
            # The model is heard: the vendor has taken the login, and the next one may begin beside it.
            first.read_until("half an answer")
            assert second.finish().code == 0
        assert first.process.poll() is None
        first.signal()
        first.finish()
    seat.assert_nothing_left()


def test_a_renewed_login_lets_all_go_on_beside_the_one_that_renews(expired: tuple[Seat, Path]) -> None:
    seat, _ = expired
    other = write_fake_cli(seat.root / "other", Behaviour())
    with seat.start("run", "hello", "--stream-json") as first:
        first.read_until("wallet_verified")
        seat.env["ONESEAT_CLAUDE_PATH"] = str(other.path)
        with seat.start("run", "hello", "--stream-json") as second:
            second.read_until(QUEUED)
            write_login(seat, time.time() + 8 * 3600)
            assert second.finish().code == 0
        assert QUEUED not in seat.run("run", "hello", "--stream-json").stdout
        first.signal()
        first.finish()
    seat.assert_nothing_left()


async def test_thirty_two_runs_in_one_program_share_nothing(tmp_path: Path) -> None:
    seat, cli = seat_of(tmp_path, Behaviour(on_user=(Say(), Result())), 4)
    most = 0

    async def run(number: int) -> RunResult:
        nonlocal most
        async with app.stream(make_request(f"prompt {number}", cwd=seat.cwd)) as stream:
            async for event in stream:
                if isinstance(event, WalletVerified):
                    most = max(most, sum(psutil.pid_exists(start.pid) for start in cli.starts()))
        assert stream.result is not None
        return stream.result

    async with opened_app(Installation(seat.env)) as app:
        results = await asyncio.gather(*(run(number) for number in range(32)))
    assert {(it.status, it.text) for it in results} == {("completed", "ok from the fake")}
    assert 1 < most <= 4
    listed = {it["id"]: it for it in seat.run("log", "--json", "--limit", "100").result["runs"]}
    assert set(listed) == {it.run_id for it in results}
    assert {it["status"] for it in listed.values()} == {"completed"}
    assert sorted(it["prompt_preview"] for it in listed.values()) == sorted(f"prompt {n}" for n in range(32))
    seat.assert_nothing_left()
