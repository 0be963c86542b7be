"""The library as a program uses it: in plain code, in async code, in a notebook, in a thread."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import psutil
import pytest

import oneseat
from oneseat import events
from oneseat.testing import Answer, Behaviour, Echo, Simulator
from oneseat.testing.fake_cli import IgnoreSignals, Replay, Say, Wait

from .driving import Seat, fake_seat, live_in


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Seat:
    """A seat in this very process."""
    seat = Seat(tmp_path, claude_path, simulator)
    live_in(seat, monkeypatch)
    return seat


@pytest.fixture
def quick_seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seat:
    """A seat in this very process whose CLI answers at once: for what has nothing to do with the real one."""
    seat, _ = fake_seat(tmp_path, "ok")
    live_in(seat, monkeypatch)
    return seat


async def all_of(stream: oneseat.RunStream) -> list[events.Event]:
    async with stream as run:
        return [event async for event in run]


def test_a_prompt_gets_an_answer_and_a_receipt(seat: Seat, simulator: Simulator) -> None:
    (seat.cwd / "notes.txt").write_text("the milk")
    result = oneseat.run("hello", system="Be brief.", model="haiku", files=["notes.txt"], timeout_s=60)
    assert (result.status, result.text, result.receipt.verdict) == (
        "completed",
        "ok from the simulator",
        "verified",
    )
    (request,) = simulator.messages()
    assert request.model is not None
    assert request.model.startswith("claude-haiku")
    seat.assert_nothing_left()


def test_no_answer_is_an_exception_that_carries_everything(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_LOGIN", "none")
    with pytest.raises(oneseat.RunFailed) as failed:
        oneseat.run("hello")
    assert failed.value.info == failed.value.result.error
    assert failed.value.result.receipt.verdict == "nothing_sent"
    assert str(failed.value) == failed.value.info.message
    again = pickle.loads(pickle.dumps(failed.value))
    assert (type(again), again.info, again.result) == (
        oneseat.RunFailed,
        failed.value.info,
        failed.value.result,
    )
    unchecked = oneseat.run("hello", check=False)
    assert (unchecked.status, unchecked.error) == ("failed", failed.value.info)


@pytest.mark.parametrize(
    ("prompt", "more", "code"),
    [
        (" ", {}, "usage.empty_prompt"),
        ("half of \ud83e", {}, "usage.invalid_utf8"),
        ("hello", {"files": ["nowhere.txt"]}, "usage.unreadable_file"),
        ("hello", {"cwd": "nowhere"}, "usage.bad_directory"),
        ("hello", {"cwd": b"caf\xe9".decode("utf-8", "surrogateescape")}, "usage.bad_directory"),
        ("hello", {"model": "two\nlines"}, "usage.unknown_model"),
        ("hello", {"model": ""}, "usage.unknown_model"),
    ],
)
def test_bad_input_is_an_exception_of_its_own(
    prompt: str, more: dict[str, Any], code: str, seat: Seat
) -> None:
    Path(os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(oneseat.UsageError) as refused:
        oneseat.run(prompt, **more)
    again = pickle.loads(pickle.dumps(refused.value))
    assert (type(again), again.info.code, again.info) == (oneseat.UsageError, code, refused.value.info)
    assert not seat.home.exists()


async def test_it_works_inside_a_running_loop(quick_seat: Seat) -> None:
    # As in a notebook: the call blocks its cell, and no other loop is entered.
    assert oneseat.run("hello").text == "ok from the fake"
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("oneseat-run")] == []


async def test_it_works_in_threads(quick_seat: Seat) -> None:
    results = await asyncio.gather(*(asyncio.to_thread(lambda: oneseat.run("hello")) for _ in range(2)))
    assert [result.text for result in results] == ["ok from the fake"] * 2
    assert results[0].run_id != results[1].run_id


async def test_events_come_in_their_order_and_the_result_stays(seat: Seat) -> None:
    async with oneseat.connect() as app:
        stream = app.stream(oneseat.make_request("hello"))
        seen = await all_of(stream)
    kinds = [type(event).__name__ for event in seen if type(event).__name__ != "Progress"]
    assert kinds == [
        *("WalletVerified", "Started", "UsageSeen", "TextDelta", "TextDelta", "TextDelta", "TextDelta"),
        *("Message", "UsageSeen", "LimitSeen", "LimitSeen", "Finished"),
    ]
    assert (
        "".join(event.text for event in seen if isinstance(event, events.TextDelta))
        == "ok from the simulator"
    )
    assert isinstance(seen[-1], events.Finished)
    assert stream.result is seen[-1].result
    assert stream.result.run_id == stream.run_id


async def test_a_failure_is_the_last_event_and_no_exception(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_LOGIN", "none")
    async with oneseat.connect() as app:
        stream = app.stream(oneseat.make_request("hello"))
        seen = await all_of(stream)
    assert [type(event) for event in seen] == [events.Failed]
    assert stream.result is not None
    assert stream.result.status == "failed"


async def test_what_was_yielded_is_in_the_ledger_already(quick_seat: Seat) -> None:
    async with oneseat.connect() as app, app.stream(oneseat.make_request("hello")) as stream:
        async for event in stream:
            if isinstance(event, events.Message):
                stored = quick_seat.run("show", stream.run_id, "--json").result["events"]
                # More may have come since: this CLI waits for nobody.
                assert [entry["event"]["type"] for entry in stored][:4] == [
                    "wallet_verified",
                    "started",
                    "usage",
                    "message",
                ]


async def test_leaving_early_ends_everything_first(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_URL", simulator.url("hang-mid-stream"))
    async with oneseat.connect() as app:
        async with app.stream(oneseat.make_request("hello")) as stream:
            async for event in stream:
                if isinstance(event, events.TextDelta):
                    break
        assert (seat.processes(), list(seat.temporary.iterdir())) == ([], [])
        assert stream.result is not None
        # What came together with the piece that was read was received too.
        assert stream.result.status == "cancelled"
        assert stream.result.text in {"a", "a stream"}
    assert seat.runs()[0]["status"] == "cancelled"


async def test_a_cancelled_task_ends_everything_first(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_URL", simulator.url("hang"))
    async with oneseat.connect() as app:
        running = asyncio.create_task(app.run(oneseat.make_request("hello")))
        await asyncio.to_thread(simulator.wait_for_messages)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (seat.processes(), list(seat.temporary.iterdir())) == ([], [])
    assert seat.runs()[0]["status"] == "cancelled"


async def test_a_time_limit_around_a_run_is_kept(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_URL", simulator.url("hang"))
    async with oneseat.connect() as app:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await app.run(oneseat.make_request("hello"))
    seat.assert_nothing_left()


async def test_an_interrupt_that_strikes_inside_a_run_is_no_bug_of_ours(quick_seat: Seat) -> None:
    async with oneseat.connect() as app, app.stream(oneseat.make_request("hello")) as stream:
        run = stream.__aiter__()
        assert isinstance(run, AsyncGenerator)
        await anext(run)
        # Python raises it wherever the main thread happens to be.
        with pytest.raises(KeyboardInterrupt):
            await run.athrow(KeyboardInterrupt)
        assert stream.result is not None
        assert stream.result.status == "cancelled"
    quick_seat.assert_nothing_left()


async def test_a_stream_that_nobody_reads_starts_nothing(seat: Seat) -> None:
    async with oneseat.connect() as app, app.stream(oneseat.make_request("hello")) as stream:
        pass
    assert stream.result is not None
    assert (stream.result.status, stream.result.receipt.verdict) == ("cancelled", "nothing_sent")
    assert seat.runs() == []


async def test_two_runs_go_on_side_by_side(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.script("echo-back", [Answer(content=(Echo(),))])
    monkeypatch.setenv("ONESEAT_SIMULATOR_URL", simulator.url("echo-back"))
    prompts = ["the first", "the second"]
    async with oneseat.connect() as app:
        results = await asyncio.gather(*(app.run(oneseat.make_request(prompt)) for prompt in prompts))
    assert [result.text for result in results] == prompts
    seat.assert_nothing_left()


def test_a_program_that_is_interrupted_twice_leaves_nothing(tmp_path: Path) -> None:
    asked, ending = tmp_path / "asked", tmp_path / "ending"
    for gate in (asked, ending):
        os.mkfifo(gate)
    # Its stdin is closed when it is being ended; from there it would go on for ever.
    stubborn = Behaviour(
        on_start=(IgnoreSignals(),),
        on_user=(Say("half"), Replay(str(asked))),
        on_stdin_closed=(Replay(str(ending)), Wait("forever")),
    )
    seat, _ = fake_seat(tmp_path, stubborn)
    program = [sys.executable, "-c", "import oneseat; oneseat.run('hello')"]
    with subprocess.Popen(program, env=seat.env, cwd=seat.cwd, stderr=subprocess.PIPE) as process:
        for gate in (asked, ending):
            gate.write_bytes(b"")  # returns when the CLI is there
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in said
    assert (seat.processes(), list(seat.temporary.iterdir())) == ([], [])
    assert seat.runs()[0]["status"] == "cancelled"


HUNDRED = 100


def test_a_hundred_runs_leave_nothing_behind(quick_seat: Seat) -> None:
    """What could be left is this process's own, whichever CLI has answered."""

    async def work() -> list[str]:
        async with oneseat.connect() as app:

            async def half() -> list[str]:
                return [(await app.run(oneseat.make_request("hello"))).status for _ in range(HUNDRED // 2)]

            first, second = await asyncio.gather(half(), half())
            return first + second

    oneseat.run("warm up")  # what is opened once and kept is not a leak
    before = counts()
    assert asyncio.run(work()) == ["completed"] * HUNDRED
    gc.collect()
    assert counts() == before
    quick_seat.assert_nothing_left()
    assert len(quick_seat.run("log", "--json", "-n", "1000").result["runs"]) == HUNDRED + 1


def counts() -> tuple[list[str], int, int]:
    """The threads, open files and children of this process."""
    me = psutil.Process()
    return (
        sorted(thread.name for thread in threading.enumerate()),
        me.num_fds(),
        len(me.children(recursive=True)),
    )


async def test_a_run_may_be_opened_read_and_left_in_different_tasks(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_URL", simulator.url("hang-mid-stream"))
    async with oneseat.connect() as app:
        stream = app.stream(oneseat.make_request("hello"))

        async def read() -> None:
            async for event in stream:
                if isinstance(event, events.TextDelta):
                    return

        await asyncio.create_task(stream.__aenter__())
        await asyncio.create_task(read())
        await asyncio.create_task(stream.__aexit__(None, None, None))
        assert (seat.processes(), list(seat.temporary.iterdir())) == ([], [])
        assert stream.result is not None
        # What came together with the piece that was read was received too.
        assert stream.result.status == "cancelled"
        assert stream.result.text in {"a", "a stream"}


async def test_a_run_may_be_left_while_another_task_waits_for_its_next_event(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_URL", simulator.url("hang"))
    async with oneseat.connect() as app:
        async with app.stream(oneseat.make_request("hello")) as stream:
            reading = asyncio.create_task(all_events(stream))
            await asyncio.to_thread(simulator.wait_for_messages)
        assert (seat.processes(), list(seat.temporary.iterdir())) == ([], [])
        assert stream.result is not None
        assert stream.result.status == "cancelled"
        with pytest.raises(asyncio.CancelledError):
            await reading


async def all_events(stream: oneseat.RunStream) -> list[events.Event]:
    return [event async for event in stream]


def test_the_names_of_the_library_come_without_what_only_a_run_needs() -> None:
    program = (
        "import sys; from oneseat import *; make_request('hello');"
        "print(sorted({'psutil', 'sqlite3', 'platformdirs', 'oneseat.app.wiring', 'oneseat.providers'} & set(sys.modules)));"
        "import oneseat; print([name for name in oneseat.__all__ if not hasattr(oneseat, name)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
