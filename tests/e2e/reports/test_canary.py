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
from oneseat.compat.installed import InstalledCli, InstalledCliProbe
from oneseat.contract.reports.compat import EXPECTED
from oneseat.providers.claude_cli.discovery import NEWEST, identify
from oneseat.providers.cli_common.program import dotted
from oneseat.testing import Behaviour, Simulator, write_fake_cli
from tests.compat.tampering import Tamper, Tampered, write_tampered
from tests.e2e.driving import Seat, fake_seat

NEWER = "2.2.0"
BROKEN = Tamper(
    version=NEWER,
    lines_out={'"is_error":true': '"is_error":false', f'"{dotted(NEWEST)}"': f'"{NEWER}"'},
)
#: A newer version that is like the real one in hardly anything.
UNLIKE = Behaviour(version=NEWER)
#: How often a trial starts the CLI when everything holds.
STARTS = 11
NOTE = f"note: official CLI {NEWER} is untested; checking it once on the simulator (a few seconds)\n"


def tampered_seat(root: Path, real: Path, simulator: Simulator, tamper: Tamper) -> tuple[Seat, Tampered]:
    """A seat whose `claude` is the real one, called newer, but for one thing."""
    cli = write_tampered(root / "claude", real, tamper)
    return Seat(root, cli.path, simulator), cli


def test_the_canary_reports_every_assumption_and_is_remembered(
    tmp_path: Path, old_claude_path: Path, simulator: Simulator
) -> None:
    """With the oldest CLI; the newest is tried below, under another version."""
    seat = Seat(tmp_path, old_claude_path, simulator)
    seat.env["CLAUDE_CODE_OAUTH_TOKEN"] = "never-to-be-used"
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
    # Two meet it at the same moment: one tries it, the other waits for what it finds.
    with seat.start("run", "one") as one, seat.start("run", "two") as two:
        met = (one.finish(), two.finish())
    assert [(ended.code, ended.stdout) for ended in met] == [(0, "ok from the simulator\n")] * 2, met
    assert any(ended.stderr.startswith(NOTE) for ended in met), met
    assert cli.starts == STARTS + 2
    later = seat.run("run", "hello")
    assert later.code == 0
    assert "is untested" not in later.stderr
    assert cli.starts == STARTS + 3
    assert len(simulator.messages()) == 3
    assert f"canary        {len(EXPECTED)} assumptions, all hold" in seat.run("doctor").stdout
    seat.assert_nothing_left()


def test_a_newer_version_that_breaks_an_assumption_is_refused_by_name(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat, cli = tampered_seat(tmp_path, claude_path, simulator, BROKEN)
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
    doctor = seat.run("doctor")
    # The script around the CLI, which broke the assumption, reads the prompts: that is the worse finding.
    assert doctor.code == 3
    assert f"canary        {len(EXPECTED)} assumptions, broken: failure (tried " in doctor.stdout
    seat.assert_nothing_left()


def test_the_doctor_names_what_is_broken(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, UNLIKE)
    tried = seat.run("doctor", "--canary")
    assert tried.code == 7
    assert f"BROKEN  failure         {EXPECTED['failure']}\n{'':<24}seen: is_error False, " in tried.stdout
    again = seat.run("doctor", "--json")
    assert (again.code, again.result["ready"], again.result["canary"]["version"]) == (7, False, NEWER)
    assert [each["code"] for each in again.result["findings"] if each["level"] == "problem"] == [
        "provider.untested_cli"
    ]


def test_the_owner_can_switch_it_off(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, UNLIKE)
    (seat.home / "config").mkdir(parents=True)
    (seat.home / "config" / "oneseat.toml").write_text("canary.auto = false\n", "utf-8")
    ended = seat.run("run", "hello")
    assert (ended.code, ended.stdout) == (0, "ok from the fake\n")
    assert "is untested" not in ended.stderr
    assert len(cli.starts()) == 1


def test_a_project_cannot_switch_it_off(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, UNLIKE)
    (seat.cwd / "oneseat.toml").write_text("canary.auto = false\n", "utf-8")
    ended = seat.run("run", "hello")
    assert ended.code == 2
    assert "usage.setting_not_allowed" in ended.stderr
    assert cli.starts() == []


def test_a_tested_version_is_not_tried(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    ended = seat.run("run", "hello")
    assert (ended.code, len(cli.starts())) == (0, 1)
    assert "is untested" not in ended.stderr


async def test_the_version_of_the_cli_itself_is_asked_once(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat, kept = Seat(tmp_path, claude_path, simulator), []
    for _ in range(2):
        async with oneseat.connect(seat.env) as app:
            assert (await app.run(oneseat.make_request("hello", cwd=seat.cwd))).status == "completed"
        kept.append((seat.home / "data" / "canary.json").read_bytes())
    (entry,) = json.loads(kept[0])
    assert (entry["cli"]["path"], entry["report"]) == (identify(str(claude_path)).path, None)
    assert kept[1] == kept[0]


def test_a_cli_that_is_nothing_like_it_is_refused(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, UNLIKE)
    ended = seat.run("run", "hello", "--quiet")
    assert (ended.code, ended.stdout) == (7, "")
    assert "provider.untested_cli" in ended.stderr
    assert "note:" not in ended.stderr
    seat.assert_nothing_left()


async def test_a_library_user_is_as_safe_as_a_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seat, cli = fake_seat(tmp_path, UNLIKE)
    async with oneseat.connect(seat.env) as app:
        requests = [oneseat.make_request("hello", cwd=seat.cwd) for _ in range(2)]
        results = await asyncio.gather(*(app.run(request) for request in requests))
        once = len(cli.starts())
        # Another file is looked at anew, also by an app that is open.
        write_fake_cli(cli.path, Behaviour(version=f"{NEWER}1"))
        results.append(await app.run(oneseat.make_request("hello", cwd=seat.cwd)))
    assert [(result.error and result.error.code, result.receipt.verdict) for result in results] == [
        ("provider.untested_cli", "nothing_sent")
    ] * 3
    # One trial for the first two, although they began at once.
    assert len(cli.starts()) == 2 * once
    assert [run["error_code"] for run in seat.runs()] == ["provider.untested_cli"] * 3
    tried = [record for record in caplog.records if record.__dict__["oneseat"]["event"] == "canary"]
    assert len(tried) == 2
    assert all("failure" in record.__dict__["oneseat"]["broken"].split(",") for record in tried)


async def test_a_known_file_is_looked_at_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    looks: list[str] = []
    look = InstalledCliProbe.look

    async def counted(probe: InstalledCliProbe) -> InstalledCli:
        looks.append("looked")
        return await look(probe)

    monkeypatch.setattr(InstalledCliProbe, "look", counted)
    async with oneseat.connect(seat.env) as app:
        for _ in range(3):
            assert (await app.run(oneseat.make_request("hello", cwd=seat.cwd))).status == "completed"
    assert looks == ["looked"]


def test_the_simulator_is_not_loaded_for_a_known_version(tmp_path: Path, claude_path: Path) -> None:
    seat = Seat(tmp_path, claude_path)
    program = (
        "import asyncio, sys; from oneseat.compat.gate import VersionGate; from oneseat.installation import Installation;"
        "asyncio.run(VersionGate(Installation()).check('claude-cli'));"
        "print([name for name in sys.modules if name.startswith(('oneseat.testing', 'oneseat.compat.trial'))])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=seat.env, capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
