"""The log of the command line: where it goes, what a line is, and what happens where it cannot be written."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.driving import Seat, fake_seat

#: Plays a Python without OpenTelemetry.
_WITHOUT_OTEL = (
    "import sys; sys.modules['opentelemetry'] = None; from oneseat.__main__ import main;"
    "sys.argv[:1] = ['oneseat']; main()"
)


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    return fake_seat(tmp_path, "ok")[0]


def configure(seat: Seat, text: str) -> None:
    folder = seat.home / "config"
    folder.mkdir(parents=True)
    (folder / "oneseat.toml").write_text(text, "utf-8")


def records(text: str) -> list[dict[str, Any]]:
    """The lines of a log among other lines."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_nothing_is_logged_unless_it_is_asked_for(seat: Seat) -> None:
    ended = seat.run("run", "go", "--quiet")
    assert (ended.code, ended.stderr) == (0, "")


def test_a_line_is_a_json_object_on_stderr(seat: Seat) -> None:
    seat.env["ONESEAT_LOG"] = "info"
    ended = seat.run("run", "go", "--quiet", "--json")
    lines = records(ended.stderr)
    assert [line["event"] for line in lines] == ["run_began", "gate_cleared", "sent", "run_ended"]
    assert {line["run_id"] for line in lines} == {ended.result["run_id"]}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["at"]) for line in lines)
    assert (lines[-1]["level"], lines[-1]["verdict"]) == ("info", ended.result["receipt"]["verdict"])


def test_the_level_is_the_least_that_is_said(seat: Seat) -> None:
    seat.env["ONESEAT_LOG"] = "error"
    assert seat.run("run", "go", "--quiet").stderr == ""
    seat.env["ONESEAT_LOG"] = "loud"
    ended = seat.run("run", "go", "--quiet")
    assert (ended.code, "usage.bad_setting" in ended.stderr) == (2, True)


def test_a_file_is_private_appended_to_and_leaves_stderr_alone(seat: Seat) -> None:
    file = seat.root / "oneseat.log"
    configure(seat, f'log.file = "{file}"\n')
    for _ in range(2):
        ended = seat.run("run", "go", "--quiet")
        assert (ended.code, ended.stderr) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [line["event"] for line in records(file.read_text())].count("run_ended") == 2


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    seat.env["ONESEAT_LOG_FILE"] = str(tmp_path / "oneseat.log")
    with seat.start("run", "one") as one, seat.start("run", "two") as two:
        for live in (one, two):
            live.finish()
    lines = [json.loads(line) for line in (tmp_path / "oneseat.log").read_text().splitlines()]
    assert len({line["pid"] for line in lines}) == 2
    assert len({line["run_id"] for line in lines}) == 2
    assert [line["event"] for line in lines].count("run_ended") == 2


@pytest.mark.parametrize("what", ["folder", "missing/folder/file", "pipe"])
def test_a_file_that_cannot_be_written_is_refused_before_the_run(what: str, tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    seat.env["ONESEAT_LOG_FILE"] = str(tmp_path / what)
    ended = seat.run("run", "go")
    assert ended.code == 2
    assert ended.stderr.startswith(f"error: The log cannot be written: `{tmp_path / what}`\n")
    assert "usage.log_file" in ended.stderr
    assert cli.starts() == []


def test_a_full_disk_does_not_end_a_run(seat: Seat) -> None:
    # The log to stderr, and stderr to where nothing can be written.
    seat.env["ONESEAT_LOG"] = "debug"
    with (
        Path("/dev/full").open("wb") as full,
        seat.start("run", "go", "--quiet", stderr=full.fileno()) as live,
    ):
        stdout, _ = live.process.communicate()
        assert (live.process.returncode, stdout) == (0, b"ok from the fake\n")


def test_a_leftover_is_said(seat: Seat) -> None:
    seat.env["ONESEAT_LOG"] = "info"
    seat.run("run", "go")
    (run,) = seat.runs()
    with contextlib.closing(sqlite3.connect(seat.ledger)) as db, db:
        db.execute("UPDATE runs SET status = 'running', owner_pid = 2147483000, owner_started = 1.0")
    lines = records(seat.run("run", "go").stderr)
    assert (lines[0]["event"], lines[0]["run_id"], lines[0]["level"]) == ("swept", run["id"], "warning")


def test_opentelemetry_that_is_not_installed_is_said_with_the_command(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    configure(seat, "telemetry.otel = true\n")
    seat.command = [sys.executable, "-c", _WITHOUT_OTEL]
    ended = seat.run("run", "go")
    assert ended.code == 2
    assert ended.stderr == (
        "error: OpenTelemetry is not installed: `telemetry.otel = true`\n  code usage.otel\n\n"
        "hint: Install it: `pip install 'oneseat[otel]'`\n"
    )
    assert cli.starts() == []


def test_a_command_sends_its_trace_where_the_variables_of_opentelemetry_say(seat: Seat) -> None:
    configure(seat, "telemetry.otel = true\n")
    seat.env["OTEL_TRACES_EXPORTER"] = "console"
    ended = seat.run("run", "go", "--quiet")
    assert ended.code == 0
    assert '"name": "invoke_agent claude-cli"' in ended.stdout
    assert '"name": "oneseat.attempt"' in ended.stdout


@pytest.mark.parametrize(("named", "package"), [("nobody_s", "nobody_s"), (None, "otlp-proto-http")])
def test_an_exporter_that_is_not_installed_is_refused_before_the_run(
    named: str | None, package: str, tmp_path: Path
) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    configure(seat, "telemetry.otel = true\n")
    if named is not None:
        seat.env["OTEL_TRACES_EXPORTER"] = named
    ended = seat.run("run", "go")
    assert (ended.code, cli.starts()) == (2, [])
    assert ended.stderr == (
        f"error: Traces cannot be sent: `OTEL_TRACES_EXPORTER={named or 'otlp'}`\n  no such exporter is installed\n"
        f"  code usage.otel\n\nhint: Install it: `pip install opentelemetry-exporter-{package}`\n"
    )
