"""`oneseat doctor --canary`, and what `oneseat run` does with a CLI that nobody tested."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import oneseat
from oneseat.contract.canary import EXPECTED
from oneseat.providers.claude_cli.discovery import NEWEST
from oneseat.providers.official_cli.program import dotted
from oneseat.testing import Behaviour, Simulator
from oneseat.vetting import InstalledCli, Vetting
from tests.canary.tampering import Tamper, Tampered, write_tampered

from .driving import Seat, fake_seat

NEWER = "2.2.0"
BROKEN = Tamper(
    version=NEWER,
    lines_out={'"is_error":true': '"is_error":false', f'"{dotted(NEWEST)}"': f'"{NEWER}"'},
)
#: How often a trial starts the CLI when everything holds.
STARTS = 11
NOTE = f"note: the official CLI {NEWER} is new to oneseat; trying it on the simulator first, a few seconds, once\n"


def tampered_seat(root: Path, real: Path, simulator: Simulator, tamper: Tamper) -> tuple[Seat, Tampered]:
    """A seat whose `claude` is the real one, called newer, but for one thing."""
    cli = write_tampered(root / "claude", real, tamper)
    return Seat(root, cli.path, simulator), cli


@pytest.fixture
def broken(tmp_path: Path, claude_path: Path, simulator: Simulator) -> tuple[Seat, Tampered]:
    return tampered_seat(tmp_path, claude_path, simulator, BROKEN)


def test_the_canary_reports_every_assumption_and_is_remembered(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    ended = seat.run("doctor", "--canary")
    assert ended.code == 0, ended
    assert all(f"holds   {name:<14}  {expected}\n" in ended.stdout for name, expected in EXPECTED.items())
    assert f"canary        {len(EXPECTED)} assumptions, all hold (tried " in ended.stdout
    # It has a simulator of its own: a real one, or another, is never asked.
    assert simulator.requests() == []
    assert stat.S_IMODE((seat.home / "data" / "canary.json").stat().st_mode) == 0o600
    assert f"canary        {len(EXPECTED)} assumptions, all hold" in seat.run("doctor").stdout
    assert len(seat.run("doctor", "--json").result["canary"]["assumptions"]) == len(EXPECTED)
    seat.assert_nothing_left()


def test_a_newer_version_is_tried_once_and_then_used(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat, cli = tampered_seat(tmp_path, claude_path, simulator, Tamper(version=NEWER))
    first = seat.run("run", "hello", "--json")
    assert (first.code, first.result["text"]) == (0, "ok from the simulator"), first
    assert first.stderr.startswith(NOTE)
    assert cli.starts == STARTS + 1
    second = seat.run("run", "hello")
    assert second.code == 0
    assert "new to oneseat" not in second.stderr
    assert cli.starts == STARTS + 2
    assert len(simulator.messages()) == 2
    seat.assert_nothing_left()


def test_a_newer_version_that_breaks_an_assumption_is_refused_by_name(
    broken: tuple[Seat, Tampered], simulator: Simulator
) -> None:
    seat, cli = broken
    ended = seat.run("run", "hello", "--json")
    assert ended.code == 7
    assert ended.stderr.startswith(NOTE)
    error = ended.result["error"]
    assert error["code"] == "provider.untested_cli"
    assert f"`{NEWER}`\n  `failure`: {EXPECTED['failure']}\n  seen: is_error False" in error["message"]
    assert "`oneseat doctor --canary`" in error["hint"]
    starts = cli.starts
    again = seat.run("run", "hello")
    assert (again.code, again.stdout) == (7, "")
    assert again.stderr.startswith("error: The official CLI breaks an assumption of oneseat")
    assert cli.starts == starts
    assert simulator.requests() == []
    seat.assert_nothing_left()


def test_the_doctor_names_what_is_broken(broken: tuple[Seat, Tampered]) -> None:
    seat, _ = broken
    tried = seat.run("doctor", "--canary")
    assert tried.code == 7
    assert f"BROKEN  failure         {EXPECTED['failure']}\n" in tried.stdout
    assert "seen: is_error False, api_error_status 401\n" in tried.stdout
    again = seat.run("doctor", "--json")
    assert (again.code, again.result["ready"], again.result["canary"]["version"]) == (7, False, NEWER)
    assert [each["code"] for each in again.result["findings"] if each["level"] == "problem"] == [
        "provider.untested_cli"
    ]


def test_the_owner_can_switch_it_off(broken: tuple[Seat, Tampered]) -> None:
    seat, cli = broken
    (seat.home / "config").mkdir(parents=True)
    (seat.home / "config" / "oneseat.toml").write_text("canary.auto = false\n", "utf-8")
    ended = seat.run("run", "hello")
    assert (ended.code, ended.stdout) == (0, "ok from the simulator\n")
    assert "new to oneseat" not in ended.stderr
    assert cli.starts == 1


def test_a_project_cannot_switch_it_off(broken: tuple[Seat, Tampered]) -> None:
    seat, cli = broken
    (seat.cwd / "oneseat.toml").write_text("canary.auto = false\n", "utf-8")
    ended = seat.run("run", "hello")
    assert ended.code == 2
    assert "usage.setting_not_allowed" in ended.stderr
    assert cli.starts == 0


def test_a_tested_version_is_not_tried(tmp_path: Path, claude_path: Path, simulator: Simulator) -> None:
    seat, cli = tampered_seat(tmp_path, claude_path, simulator, Tamper())
    ended = seat.run("run", "hello")
    assert ended.code == 0
    assert "new to oneseat" not in ended.stderr
    assert cli.starts == 1


def test_the_version_of_the_cli_itself_is_asked_once(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    assert seat.run("run", "hello").code == 0
    kept = (seat.home / "data" / "canary.json").read_bytes()
    (entry,) = json.loads(kept)
    assert (entry["cli"]["path"], entry["report"]) == (str(claude_path.resolve()), None)
    assert seat.run("run", "hello").code == 0
    assert (seat.home / "data" / "canary.json").read_bytes() == kept


def test_a_cli_that_is_nothing_like_it_is_refused(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(version=NEWER))
    ended = seat.run("run", "hello", "--quiet")
    assert (ended.code, ended.stdout) == (7, "")
    assert "provider.untested_cli" in ended.stderr
    assert "note:" not in ended.stderr
    seat.assert_nothing_left()


def test_two_runs_that_meet_a_new_version_try_it_once(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat, cli = tampered_seat(tmp_path, claude_path, simulator, Tamper(version=NEWER))
    with seat.start("run", "one") as one, seat.start("run", "two") as two:
        assert (one.finish().code, two.finish().code) == (0, 0)
    assert cli.starts == STARTS + 2
    seat.assert_nothing_left()


async def test_a_library_user_is_as_safe_as_a_command(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat, cli = tampered_seat(tmp_path, claude_path, simulator, Tamper(version=NEWER))
    async with oneseat.connect(seat.env) as app:
        requests = [oneseat.make_request("hello", cwd=seat.cwd) for _ in range(2)]
        results = await asyncio.gather(*(app.run(request) for request in requests))
        assert [result.status for result in results] == ["completed", "completed"]
        # One trial for both, although they began at once.
        assert cli.starts == STARTS + 2
        # Another file is looked at anew, also by an app that is open.
        write_tampered(cli.path, claude_path, BROKEN)
        result = await app.run(oneseat.make_request("hello", cwd=seat.cwd))
        assert result.error is not None
        assert result.error.code == "provider.untested_cli"


async def test_a_version_that_breaks_an_assumption_is_refused_to_a_library_user_and_kept_in_the_ledger(
    broken: tuple[Seat, Tampered], simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    seat, _ = broken
    async with oneseat.connect(seat.env) as app:
        result = await app.run(oneseat.make_request("hello", cwd=seat.cwd))
    assert result.error is not None
    assert (result.error.code, result.receipt.verdict) == ("provider.untested_cli", "nothing_sent")
    assert simulator.requests() == []
    assert [run["error_code"] for run in seat.runs()] == ["provider.untested_cli"]
    tried = [record for record in caplog.records if record.__dict__["oneseat"]["event"] == "canary"]
    assert [record.__dict__["oneseat"]["broken"] for record in tried] == ["failure"]


async def test_a_known_file_is_looked_at_and_nothing_more(
    tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    looks: list[str] = []
    look = Vetting.look

    async def counted(vetting: Vetting) -> InstalledCli:
        looks.append("looked")
        return await look(vetting)

    monkeypatch.setattr(Vetting, "look", counted)
    async with oneseat.connect(seat.env) as app:
        for _ in range(3):
            assert (await app.run(oneseat.make_request("hello", cwd=seat.cwd))).status == "completed"
    assert looks == ["looked"]


def test_the_simulator_is_not_loaded_for_a_known_version(tmp_path: Path, claude_path: Path) -> None:
    seat = Seat(tmp_path, claude_path)
    program = (
        "import asyncio, os, sys, pathlib; from oneseat.admission import Admission;"
        "asyncio.run(Admission(os.environ, pathlib.Path.cwd()).check('claude-cli'));"
        "print([name for name in sys.modules if name.startswith(('oneseat.testing', 'oneseat.canary'))])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=seat.env, capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
