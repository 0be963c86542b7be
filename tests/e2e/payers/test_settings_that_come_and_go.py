"""The CLI applies an administrator's settings while it runs: the gate's answer must still hold when the prompt leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from oneseat.testing import Behaviour, FakeCli, write_fake_cli
from oneseat.testing.fake_cli import Say, Wait
from tests.e2e.driving import KILL_AFTER_S, Seat
from tests.e2e.payers.test_managed_settings import IN_PLACE, LOOKED_UP, with_own_view

MANAGED = "/etc/claude-code/managed-settings.json"
#: Comes and goes: no file is left that could be read.
COMES_AND_GOES = f"mkdir -p /etc/claude-code; echo '{{}}' > {MANAGED}; rm -r /etc/claude-code"
#: The same in a program that uses the library.
PROGRAM = f"""
import asyncio, json, pathlib, oneseat
def come(): MANAGED.write_text("{{}}")
def go(): MANAGED.unlink()
def told(result): return [result.status, result.error and result.error.code, result.receipt.verdict]
MANAGED = pathlib.Path("{MANAGED}")
async def main():
    async with oneseat.connect(warm=WARM) as app:
        print(json.dumps(await play(app)))
"""
CONVERSATION = """
async def play(app):
    async with app.conversation() as talk:
        found = [told(await talk.run(oneseat.make_request("one")))]
        come(); go()
        found.append(told(await talk.run(oneseat.make_request("two"))))
        return found + [told(await talk.run(oneseat.make_request("three")))]
"""
WAITING = """
async def play(app):
    while not app.idle:
        await app.idle_change()
    waited = app.idle[0].pid
    come(); go()
    result = await app.run(oneseat.make_request("one"))
    return [told(result), waited in [each.pid for each in app.idle]]
"""
MIDWAY = """
async def play(app):
    async with app.stream(oneseat.make_request("one")) as run:
        async for event in run:
            if isinstance(event, oneseat.events.Message):
                come()
    go()
    return told(run.result)
"""


class Machine:
    """A seat with a fake CLI below an `/etc` of its own, without any managed settings."""

    def __init__(self, way: tuple[str, ...], root: Path, behaviour: Behaviour | str = "ok") -> None:
        self.cli: FakeCli = write_fake_cli(root / "claude", behaviour)
        self.seat = Seat(root, self.cli.path)
        etc = root / "etc"
        etc.mkdir()
        for file in LOOKED_UP:
            (etc / file).write_bytes(Path("/etc", file).read_bytes())
        self._inside = (*way, "sh", "-c", IN_PLACE, str(etc))

    def wrap(self, script: str) -> None:
        """Run ``script`` before each start of the CLI that is more than a question for its version."""
        path = self.seat.root / "wrapped"
        path.write_text(f'#!/bin/sh\ntest "$1" = --version || {{ {script}; }}\nexec {self.cli.path} "$@"\n')
        path.chmod(0o700)
        self.seat.env["ONESEAT_CLAUDE_PATH"] = str(path)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._inside, *arguments],
            env=self.seat.env,
            cwd=self.seat.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=KILL_AFTER_S,
            check=False,
        )

    def play(self, program: str, warm: int = 0) -> Any:
        # The CLI applies changes in a folder that was there when it was started.
        (self.seat.root / "etc" / "claude-code").mkdir()
        source = (PROGRAM + program).replace("WARM", str(warm)) + "\nasyncio.run(main())\n"
        ended = self.run(sys.executable, "-c", source)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


@with_own_view
def test_a_setting_that_came_and_went_after_the_start_ends_the_attempt(
    way: tuple[str, ...], tmp_path: Path
) -> None:
    machine = Machine(way, tmp_path)
    machine.wrap(COMES_AND_GOES)
    ended = machine.run(*machine.seat.command, "run", "hi", "--json")
    result = json.loads(ended.stdout)
    assert (ended.returncode, result["error"]["code"]) == (3, "billing.settings_changed")
    assert "`/etc" in result["error"]["message"]
    assert result["receipt"]["verdict"] == "nothing_sent"
    assert len(machine.cli.starts()) == 3


@with_own_view
def test_a_run_goes_on_with_another_process_once_nothing_changes(
    way: tuple[str, ...], tmp_path: Path
) -> None:
    machine = Machine(way, tmp_path)
    machine.wrap(f"test -e {tmp_path}/once || {{ {COMES_AND_GOES}; touch {tmp_path}/once; }}")
    ended = machine.run(*machine.seat.command, "run", "hi", "--stream-json")
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["cause"] for line in lines if line["type"] == "retry"] == ["billing.settings_changed"]
    assert (ended.returncode, lines[-1]["status"], lines[-1]["receipt"]["attempts"]) == (0, "completed", 1)


@with_own_view
def test_a_process_that_waited_meanwhile_serves_no_run(way: tuple[str, ...], tmp_path: Path) -> None:
    (status, code, _), still_there = Machine(way, tmp_path).play(WAITING, warm=1)
    assert (status, code, still_there) == ("completed", None, False)


@with_own_view
def test_a_conversation_ends_between_two_messages(way: tuple[str, ...], tmp_path: Path) -> None:
    one, two, three = Machine(way, tmp_path).play(CONVERSATION)
    assert one[:2] == ["completed", None]
    assert two == three == ["failed", "provider.conversation_over", "nothing_sent"]


@with_own_view
def test_a_run_is_stopped_in_the_middle_of_its_answer(way: tuple[str, ...], tmp_path: Path) -> None:
    behaviour = Behaviour(on_user=(Say("half an"), Wait("stdin_closed")))
    status, code, verdict = Machine(way, tmp_path, behaviour).play(MIDWAY)
    assert (status, code) == ("failed", "billing.changed_midway")
    assert verdict == "unverified"
