"""Processes that were started ahead: quick, gated at each hand-out, never with anything of another run, never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import oneseat
from oneseat import events
from oneseat.host.processes.tree import is_running
from oneseat.testing import Answer, Behaviour, Failure, Simulator, Text, ToolRound, ToolUse, write_fake_cli
from tests.e2e.driving import Seat, fake_seat, live_in, told, write_login
from tests.e2e.warming import ask, nothing_left, until, waiting

MCP_SERVER = Path(__file__).parents[2] / "data" / "mcp_server.py"
_DONE = Answer(content=(Text("done"),))
#: Opens an app with a warm process in a program of its own, says so, and waits to be killed.
_HOST = """
import asyncio, oneseat
async def main():
    async with oneseat.connect(warm=1) as app:
        while not app.idle:
            await app.idle_change()
        print(app.idle[0].pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator)
    live_in(seat, monkeypatch)
    return seat


@pytest.fixture
def old_seat(
    tmp_path: Path, old_claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Seat:
    seat = Seat(tmp_path, old_claude_path, simulator)
    live_in(seat, monkeypatch)
    return seat


@pytest.fixture
def quick_seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seat:
    """A seat whose CLI is there at once: for what becomes of processes, whatever they say."""
    seat, _ = fake_seat(tmp_path, "ok")
    live_in(seat, monkeypatch)
    return seat


def settings(seat: Seat, **pool: float) -> None:
    """The owner's settings of the pool."""
    folder = seat.home / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "oneseat.toml").write_text(
        "[pool]\n" + "".join(f"{name} = {value}\n" for name, value in pool.items())
    )


async def test_a_run_takes_the_process_that_waits_and_another_takes_its_place(
    seat: Seat, simulator: Simulator
) -> None:
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        assert simulator.requests() == []  # it was asked nothing, so it has sent nothing
        result = await ask(app, "hello", system="Be brief.")
        assert (result.status, result.receipt.verdict, result.text) == (
            "completed",
            "verified",
            "ok from the simulator",
        )
        (request,) = simulator.messages()
        assert told(request) == "hello"
        assert request.body["system"][-1]["text"] == "Be brief."
        second = await waiting(app, lambda process: process.pid != first.pid)
        assert second.runs == 0
    nothing_left(seat)


async def test_what_is_sent_is_what_a_cold_run_sends(seat: Seat, simulator: Simulator) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    simulator.script("both", [ToolRound(call=ToolUse("StructuredOutput", {"answer": 42}), answer=_DONE)])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("both")
    async with oneseat.connect() as cold:
        assert (await ask(cold, "/six times seven", system="Count.", schema=schema)).structured == {
            "answer": 42
        }
    bodies = [request.body for request in simulator.messages()]
    simulator.clear()
    async with oneseat.connect(warm=1) as app:
        warm = await waiting(app)
        assert (await ask(app, "/six times seven", system="Count.", schema=schema)).structured == {
            "answer": 42
        }
        for body, again in zip(bodies, (request.body for request in simulator.messages()), strict=True):
            assert body["tools"] == again["tools"]
            assert body["system"] == again["system"]
            told_cold, told_warm = json.dumps(body["messages"]), json.dumps(again["messages"])
            # The directory is named to the model: a process without tools works in an empty one of its own.
            assert told_cold.replace(str(seat.cwd), "CWD") == told_warm.replace(warm.cwd, "CWD")


async def test_the_gate_is_asked_at_each_hand_out(seat: Seat, simulator: Simulator) -> None:
    """The file was not there when the process was started."""
    os.environ["ONESEAT_SIMULATOR_LOGIN"] = "file"
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("ok")
    async with oneseat.connect(warm=1) as app:
        process = await waiting(app)
        config = Path(process.cwd).parent / "config"
        (config / ".claude.json").write_text(
            json.dumps({"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}})
        )
        result = await ask(app, "hello")
        assert result.error is not None
        assert result.error.code in {"billing.base_url_changed", "billing.managed_settings"}
        assert result.receipt.verdict == "nothing_sent"
        assert simulator.messages() == []
    nothing_left(seat)


async def test_what_was_read_at_the_start_counts_when_it_is_gone_by_then(
    seat: Seat, simulator: Simulator, tmp_path: Path, claude_path: Path
) -> None:
    """A script around the CLI leaves an address in the CLI's own file for as long as the CLI reads it."""
    script = tmp_path / "claude"
    script.write_text(
        "#!/bin/sh\n"
        'test "$1" = --version && exec "$CLAUDE" "$@"\n'
        'printf \'{"env":{"ANTHROPIC_CUSTOM_HEADERS":"x: y"}}\' > "$CLAUDE_CONFIG_DIR/.claude.json"\n'
        f'exec {claude_path} "$@"\n'
    )
    script.chmod(0o755)
    os.environ["ONESEAT_CLAUDE_PATH"] = str(script)
    async with oneseat.connect(warm=1) as app:
        await waiting(app)
        result = await ask(app, "hello")
        assert result.error is not None
        assert result.error.code.startswith("billing.")
        assert simulator.messages() == []


async def test_a_key_around_the_caller_is_kept_and_named_as_in_a_cold_run(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-" + "x" * 40)
    async with oneseat.connect(warm=1) as app:
        await waiting(app)
        result = await ask(app, "hello")
    assert result.receipt.verdict == "verified"
    assert any("ANTHROPIC_API_KEY" in str(evidence) for evidence in result.receipt.evidence)
    (request,) = simulator.messages()
    assert request.auth == ("bearer",)


async def test_the_login_is_asked_for_although_nobody_is_signed_in(seat: Seat, simulator: Simulator) -> None:
    os.environ["ONESEAT_SIMULATOR_LOGIN"] = "none"
    async with oneseat.connect(warm=1) as app:
        await waiting(app)
        result = await ask(app, "hello")
    assert result.error is not None
    assert result.receipt.verdict == "nothing_sent"
    assert simulator.messages() == []


async def test_a_dead_process_is_not_handed_out(quick_seat: Seat) -> None:
    async with oneseat.connect(warm=1) as app:
        dead = await waiting(app)
        process = psutil.Process(dead.pid)
        process.kill()
        psutil.wait_procs([process])
        result = await ask(app, "hello")
        assert result.status == "completed"
        await waiting(app, lambda process: process.pid != dead.pid)
    nothing_left(quick_seat)


async def test_a_new_version_of_the_program_replaces_those_that_wait(
    quick_seat: Seat, tmp_path: Path
) -> None:
    link, newer = tmp_path / "link", tmp_path / "newer"
    link.symlink_to(write_fake_cli(tmp_path / "old", Behaviour(version="2.1.331")).path)
    newer.symlink_to(tmp_path / "claude")
    os.environ["ONESEAT_CLAUDE_PATH"] = str(link)
    async with oneseat.connect(warm=1) as app:
        await waiting(app)
        newer.replace(link)
        result = await ask(app, "hello")
    assert result.receipt.cli_version == "2.1.329"


async def test_an_old_process_gives_way(quick_seat: Seat) -> None:
    settings(quick_seat, idle_s=1)
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        await until(app, lambda: all(process.pid != first.pid for process in app.idle))
        result = await ask(app, "hello")
        assert result.status == "completed"
        await until(app, lambda: not is_running(first.pid))
    nothing_left(quick_seat)


async def test_nothing_is_started_ahead_that_might_renew_the_login(
    quick_seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONESEAT_SIMULATOR_LOGIN", "file")
    write_login(quick_seat, time.time() - 60)
    async with oneseat.connect(warm=1) as app:
        await asyncio.sleep(0)  # the pool has looked by now
        assert app.idle == ()
        write_login(quick_seat, time.time() + 8 * 3600)
        assert (await ask(app, "hello")).status == "completed"
        await waiting(app)
    nothing_left(quick_seat)


async def test_memory_is_bounded(quick_seat: Seat) -> None:
    """One process takes more than the megabytes allowed: none is kept once that is known."""
    settings(quick_seat, max_memory_mb=1)
    async with oneseat.connect(warm=2) as app:
        first = await waiting(app)
        await ask(app, "hello")
        await until(app, lambda: not is_running(first.pid))
        await ask(app, "hello")
        # On a busy machine one may be started before the size of the first was seen.
        await until(app, lambda: app.idle == ())
        assert app.idle == ()
    nothing_left(quick_seat)


async def test_nothing_is_started_while_a_run_needs_the_processor(quick_seat: Seat) -> None:
    async with oneseat.connect(warm=1) as app:
        await waiting(app)
        async with app.stream(oneseat.make_request("hello")) as run:
            async for event in run:
                if isinstance(event, events.Started):
                    assert app.idle == ()
        await waiting(app)


async def test_another_model_needs_no_other_process(seat: Seat, simulator: Simulator) -> None:
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        await ask(app, "hello")  # from now on the version is known
        second = await waiting(app, lambda process: process.pid != first.pid)
        result = await ask(app, "again", model="haiku")
        assert all(process.pid != second.pid for process in app.idle)
    assert result.receipt.model is not None
    assert result.receipt.model.startswith("claude-haiku")
    assert [told(request) for request in simulator.messages()] == ["hello", "again"]


async def test_a_model_that_is_not_listed_is_never_tried_out_on_a_process_that_waits(
    seat: Seat, simulator: Simulator
) -> None:
    """The CLI would send a request of its own to find out, before the gate."""
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        await ask(app, "hello")
        await waiting(app, lambda process: process.pid != first.pid)
        unknown = await ask(app, "again", model="no-such-model")
        whole = await ask(app, "again", model="claude-haiku-5-5")
        async with app.conversation() as talk:
            await ask(talk, "one")
            changed = await ask(talk, "two", model="claude-haiku-5-5")
    assert unknown.error is not None
    assert unknown.error.code == "usage.unknown_model"
    assert whole.status == "completed"
    assert changed.error is not None
    assert changed.error.code == "usage.conversation_changed"
    assert [told(request) for request in simulator.messages()] == ["hello", "again", "one"]


async def test_a_version_that_tells_the_model_of_a_change_is_not_changed(
    old_seat: Seat, simulator: Simulator
) -> None:
    async with oneseat.connect(warm=1) as app:
        await waiting(app)
        await ask(app, "hello")
        await waiting(app)
        await ask(app, "again", model="haiku")
    assert told(simulator.messages()[1]) == "again"


async def test_tools_have_a_process_of_their_own_in_their_directory(seat: Seat, simulator: Simulator) -> None:
    simulator.script("tool", [ToolRound(call=ToolUse("Bash", {"command": "pwd"}), answer=_DONE)])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("tool")
    async with oneseat.connect(warm=1) as app:
        plain = await waiting(app)
        async with app.stream(oneseat.make_request("hello", tools="Bash"), ask=lambda question: True) as run:
            started = [event for event in [each async for each in run] if isinstance(event, events.Started)]
        assert [(event.cwd, event.tools) for event in started] == [(str(seat.cwd), ("Bash",))] * len(started)
        # Asked for last, so it waits in place of the plain one.
        warm = await waiting(app, lambda process: process.pid != plain.pid and process.cwd == str(seat.cwd))
        again = await app.run(oneseat.make_request("hello", tools="Bash"), ask=lambda question: True)
        assert again.status == "completed"
        assert not psutil.pid_exists(warm.pid)  # its run has ended it, with its tools, before it was over
    nothing_left(seat)


async def test_mcp_servers_wait_with_their_process(seat: Seat, simulator: Simulator) -> None:
    call = ToolUse("mcp__desk__echo", {"text": "hi"})
    simulator.script("calls", [ToolRound(call=call, answer=_DONE)])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("calls")
    servers = {"mcpServers": {"desk": {"command": sys.executable, "args": [str(MCP_SERVER), "ok"]}}}
    async with oneseat.connect(warm=1) as app:
        results, pids = [], []
        for _ in range(2):
            results.append(await ask(app, "hello", mcp_servers=servers, tools="mcp__desk"))
            process = await waiting(
                app, lambda process: process.pid not in pids and process.cwd == str(seat.cwd)
            )
            pids.append(process.pid)
    assert [(result.status, result.denials) for result in results] == [("completed", ())] * 2
    nothing_left(seat)


async def test_independent_runs_of_one_process_know_nothing_of_each_other(
    seat: Seat, simulator: Simulator
) -> None:
    settings(seat, runs_per_process=3)
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        results = []
        for number in range(3):
            await until(app, lambda: [process.runs for process in app.idle] == [number])  # noqa: B023 - waited for at once
            results.append(await ask(app, f"number {number}", system="Be brief."))
        bodies = [request.body for request in simulator.messages()]
        assert [told(request) for request in simulator.messages()] == ["number 0", "number 1", "number 2"]
        # Byte for byte what a first request is, but for the prompt.
        plain = [json.dumps(body).replace(f"number {i}", "PROMPT") for i, body in enumerate(bodies)]
        plain = [
            re.sub(r"cc_version=[\d.]+\w+", "VERSION", body) for body in plain
        ]  # a sum of the prompt is in it
        assert plain[1:] == plain[:-1]
        assert [result.receipt.verdict for result in results] == ["verified"] * 3
        assert len({result.receipt.equivalent_cost_usd for result in results}) == 1
        await waiting(app, lambda process: process.pid != first.pid and process.runs == 0)
    nothing_left(seat)


async def test_other_instructions_take_the_place_of_those_before(seat: Seat, simulator: Simulator) -> None:
    settings(seat, runs_per_process=9)
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        await ask(app, "one", system="Speak French.")
        await waiting(app, lambda process: process.runs == 1)
        await ask(app, "two", system="Speak Spanish.")
        again = await waiting(app, lambda process: process.runs == 2)
        assert again.pid == first.pid
    assert [request.body["system"][-1]["text"] for request in simulator.messages()] == [
        "Speak French.",
        "Speak Spanish.",
    ]
    assert "French" not in json.dumps(simulator.messages()[1].body)


async def test_a_process_whose_run_failed_serves_no_other(seat: Seat, simulator: Simulator) -> None:
    settings(seat, runs_per_process=9)
    simulator.script("revoked", [Failure(status=401, kind="authentication_error", message="no")])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("revoked")
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        result = await ask(app, "one")
        assert result.error is not None
        await waiting(app, lambda process: process.pid != first.pid)
        await until(app, lambda: not is_running(first.pid))


async def test_a_run_that_is_cancelled_ends_its_process_before_it_is_over(
    seat: Seat, simulator: Simulator
) -> None:
    settings(seat, runs_per_process=9)
    simulator.script("slow", [Answer(content=(Text("one two three"),), pace_s=1.0)])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("slow")
    async with oneseat.connect(warm=1) as app:
        first = await waiting(app)
        async with app.stream(oneseat.make_request("hello")) as run:
            async for event in run:
                if isinstance(event, events.TextDelta):
                    break
        assert not psutil.pid_exists(first.pid)
        assert run.result is not None
        assert run.result.status == "cancelled"
    nothing_left(seat)


def test_what_a_killed_host_left_is_ended_at_the_next_start(quick_seat: Seat) -> None:
    seat = quick_seat
    host = subprocess.Popen([sys.executable, "-c", _HOST], env=seat.env, cwd=seat.cwd, stdout=subprocess.PIPE)
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    # The CLI would end with its parent on Linux; a stopped one does not hear of it.
    os.kill(pid, signal.SIGSTOP)
    host.kill()
    host.communicate()
    assert list((seat.home / "data" / "live").iterdir()) != []
    assert seat.run("run", "hello").code == 0
    nothing_left(seat)


async def test_many_at_once(seat: Seat, simulator: Simulator) -> None:
    settings(seat, runs_per_process=50)
    async with oneseat.connect(warm=2) as app:
        await waiting(app)
        results = await asyncio.gather(*(ask(app, f"number {number}") for number in range(3)))
    assert [result.status for result in results] == ["completed"] * 3
    assert sorted(told(request) for request in simulator.messages()) == [f"number {n}" for n in range(3)]
    nothing_left(seat)


def test_no_program_to_start_is_the_runs_error_and_not_the_pools(quick_seat: Seat) -> None:
    async def work() -> oneseat.RunResult:
        os.environ["ONESEAT_CLAUDE_PATH"] = str(quick_seat.root / "missing")
        async with oneseat.connect(warm=1) as app:
            return await ask(app, "hello")

    result = asyncio.run(work())
    assert result.error is not None
    assert result.error.code == "provider.not_found"


def test_the_program_may_vanish_while_one_waits(quick_seat: Seat, tmp_path: Path) -> None:
    async def work() -> oneseat.RunResult:
        async with oneseat.connect(warm=1) as app:
            await waiting(app)
            (tmp_path / "claude").rename(tmp_path / "elsewhere")
            return await ask(app, "hello")

    result = asyncio.run(work())
    assert result.error is not None
    assert result.error.code == "provider.not_found"
    nothing_left(quick_seat)
