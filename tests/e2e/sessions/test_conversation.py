"""An open conversation: one process, a run and a receipt for each message."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

import oneseat
from oneseat import events
from oneseat.testing import Answer, Echo, Failure, Simulator, Text
from tests.e2e.driving import Seat, live_in

#: Says one thing in a conversation in a program of its own, prints who holds it, and waits to be killed.
_HOST = """
import asyncio, oneseat, os, psutil
async def main():
    async with oneseat.connect() as app, app.conversation() as talk:
        await talk.run(oneseat.make_request("hello"))
        print(psutil.Process().children()[0].pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
_OVERLOADED = Failure(status=529, kind="overloaded_error", message="Overloaded")


@oneseat.tool
def shout(word: str) -> str:
    """The word, louder."""
    return word.upper()


@pytest.fixture(params=["newest", "oldest"])
def seat(
    request: pytest.FixtureRequest, tmp_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> Seat:
    cli: Path = request.getfixturevalue("claude_path" if request.param == "newest" else "old_claude_path")
    seat = Seat(tmp_path, cli, simulator, "echo")
    live_in(seat, monkeypatch)
    return seat


@pytest.fixture
def newest(tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Seat:
    seat = Seat(tmp_path, claude_path, simulator, "echo")
    live_in(seat, monkeypatch)
    return seat


async def say(talk: oneseat.App, prompt: str, **options: Any) -> oneseat.RunResult:
    return await talk.run(oneseat.make_request(prompt, **options))


def said(request: Any) -> list[str]:
    """What was said so far, as the vendor was told."""
    told: list[str] = []
    for message in request.body["messages"]:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [block["text"] for block in content]
        if message["role"] != "system":
            told += [text for text in texts if not text.startswith("<system-reminder>")]
    return told


def nothing_left(seat: Seat) -> None:
    seat.assert_nothing_left()
    assert list((seat.home / "data" / "live").iterdir()) == []


async def test_a_message_goes_on_where_the_last_one_ended(seat: Seat, simulator: Simulator) -> None:
    async with oneseat.connect() as app, app.conversation() as talk:
        results = [await say(talk, prompt, system="Be brief.") for prompt in ("one", "two", "three")]
    assert [said(request) for request in simulator.messages()] == [
        ["one"],
        ["one", "one", "two"],
        ["one", "one", "two", "two", "three"],
    ]
    assert [result.text for result in results] == ["one", "two", "three"]
    assert [result.receipt.verdict for result in results] == ["verified"] * 3
    costs = [result.receipt.equivalent_cost_usd for result in results]
    assert costs[1] == costs[2] != 0  # each pays for itself alone
    assert len({result.run_id for result in results}) == 3
    assert [run["status"] for run in seat.runs()] == ["completed"] * 3
    nothing_left(seat)


async def test_who_pays_is_asked_for_each_message(newest: Seat, simulator: Simulator) -> None:
    os.environ["ONESEAT_SIMULATOR_LOGIN"] = "file"
    async with oneseat.connect() as app, app.conversation() as talk:
        assert (await say(talk, "one")).status == "completed"
        (process,) = psutil.Process().children()
        # Unlike its state, this file is none that the CLI writes by itself.
        managed = Path(process.environ()["CLAUDE_CONFIG_DIR"]) / "remote-settings.json"
        managed.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}}))
        refused = await say(talk, "two")
        managed.unlink()
        assert (await say(talk, "three")).status == "completed"
    assert refused.error is not None
    assert (refused.error.code, refused.receipt.verdict) == ("billing.managed_settings", "nothing_sent")
    assert [said(request)[-1] for request in simulator.messages()] == ["one", "three"]
    nothing_left(newest)


async def test_what_is_fixed_cannot_change(newest: Seat, simulator: Simulator) -> None:
    async with oneseat.connect() as app, app.conversation() as talk:
        await say(talk, "one", system="Be brief.")
        for change in (
            {"system": "Be long."},
            {"tools": "read"},
            {"functions": (shout,)},
            {"mcp_servers": {"mcpServers": {"db": {"command": sys.executable}}}},
        ):
            result = await say(talk, "two", **{"system": "Be brief.", **change})
            assert result.error is not None
            assert (result.error.code, result.receipt.verdict) == (
                "usage.conversation_changed",
                "nothing_sent",
            )
        assert (await say(talk, "three", system="Be brief.")).status == "completed"
    assert len(simulator.messages()) == 2
    nothing_left(newest)


async def test_a_conversation_whose_process_died_is_over(newest: Seat, simulator: Simulator) -> None:
    async with oneseat.connect() as app, app.conversation() as talk:
        await say(talk, "one")
        (process,) = psutil.Process().children()
        process.kill()
        psutil.wait_procs([process])
        result = await say(talk, "two")
        assert result.error is not None
        assert result.error.code in {"provider.conversation_over", "provider.crashed"}
        again = await say(talk, "two")
        assert again.error is not None
        assert (again.error.code, again.receipt.verdict) == ("provider.conversation_over", "nothing_sent")
    assert len(simulator.messages()) == 1
    nothing_left(newest)


async def test_a_message_that_was_cancelled_does_not_end_the_conversation(
    seat: Seat, simulator: Simulator
) -> None:
    slow = Answer(content=(Text("one two three four five six"),), pace_s=1.0)
    simulator.script("slow", [slow, Answer(content=(Echo(),))])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("slow")
    async with oneseat.connect() as app, app.conversation() as talk:
        async with talk.stream(oneseat.make_request("count")) as run:
            async for event in run:
                if isinstance(event, events.TextDelta):
                    break
        assert run.result is not None
        assert run.result.status == "cancelled"
        result = await say(talk, "go on")
    assert (result.text, result.receipt.verdict) == ("go on", "verified")
    assert said(simulator.messages()[-1])[0] == "count"
    nothing_left(seat)


async def test_a_message_the_provider_failed_on_is_taken_back(newest: Seat, simulator: Simulator) -> None:
    (newest.home / "config").mkdir(parents=True)
    (newest.home / "config" / "oneseat.toml").write_text(
        "[claude]\nmax_retries = 0\n[retry]\nmax_attempts = 1\n"
    )
    simulator.script("once", [Answer(content=(Echo(),)), _OVERLOADED, _OVERLOADED, Answer(content=(Echo(),))])
    os.environ["ONESEAT_SIMULATOR_URL"] = simulator.url("once")
    async with oneseat.connect() as app, app.conversation() as talk:
        await say(talk, "one")
        failed = await say(talk, "two")
        assert failed.error is not None
        while (result := await say(talk, "three")).error is not None:
            pass
    assert said(simulator.messages()[-1]) == ["one", "one", "three"]
    assert result.text == "three"


async def test_a_project_goes_on_with_its_session(newest: Seat, simulator: Simulator) -> None:
    (newest.home / "config").mkdir(parents=True)
    (newest.home / "config" / "oneseat.toml").write_text(f'[projects.shop]\ndirectory = "{newest.cwd}"\n')
    async with oneseat.connect() as app:
        async with app.conversation() as talk:
            for prompt in ("one", "two"):
                request = oneseat.in_project(oneseat.make_request(prompt), "shop")
                result = await talk.run(request)
        assert result.session is not None
        assert (result.session.resumed, result.session.message) == (True, 2)
        cold = await app.run(oneseat.in_project(oneseat.make_request("three"), "shop"))
    assert cold.session is not None
    assert (cold.session.id, cold.session.message) == (result.session.id, 3)
    assert said(simulator.messages()[-1]) == ["one", "one", "two", "two", "three"]
    nothing_left(newest)


def test_what_a_killed_host_left_is_ended_at_the_next_start(newest: Seat) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", _HOST], env=newest.env, cwd=newest.cwd, stdout=subprocess.PIPE
    )
    assert host.stdout is not None
    # The CLI would end with its parent on Linux; a stopped one does not hear of it.
    os.kill(int(host.stdout.readline()), signal.SIGSTOP)
    host.kill()
    host.communicate()
    assert newest.run("run", "hello").code == 0
    nothing_left(newest)


async def test_each_message_has_what_is_left_of_the_day(newest: Seat, simulator: Simulator) -> None:
    settings = newest.home / "config" / "oneseat.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("[budget]\nday_usd = 0.001\n", "utf-8")
    async with oneseat.connect() as app, app.conversation() as talk:
        results = [await say(talk, word) for word in ("one", "two", "three", "four")]
    # Each costs about $0.0004, and the process is one and the same.
    codes = [result.error and result.error.code for result in results]
    assert codes == [None, None, "budget.reached", "budget.day_used_up"]
    assert [result.receipt.cost_source for result in results[:2]] == ["cli", "cli"]
    assert len(simulator.messages()) == 3
