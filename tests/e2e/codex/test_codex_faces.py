"""The second seat in the shell: run, limits, doctor."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import write_fake_cli

from .conftest import CodexSeat


@pytest.fixture(autouse=True)
def other_seat(seat: CodexSeat) -> None:
    """The first seat is not what is looked at here."""
    seat.env["ONESEAT_CLAUDE_PATH"] = str(write_fake_cli(seat.root / "claude").path)


ONESEAT = str(Path(sysconfig.get_path("scripts")) / "oneseat")


def oneseat(seat: CodexSeat, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [ONESEAT, *arguments],
        env=seat.env,
        cwd=seat.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def test_a_run_and_the_windows_it_reported(seat: CodexSeat) -> None:
    ran: dict[str, Any] = json.loads(oneseat(seat, "run", "--provider", "codex-cli", "--json", "hello"))
    assert (ran["text"], ran["receipt"]["provider"], ran["receipt"]["verdict"]) == (
        "ok from the simulator",
        "codex-cli",
        "verified",
    )
    first, second = json.loads(oneseat(seat, "limits", "--json"))["seats"]
    assert (first["provider"], second["provider"]) == ("claude-cli", "codex-cli")
    shares = {window["window"]: window["used"] for window in second["windows"]}
    assert (shares["five_hour"], shares["seven_day"]) == (0.12, 0.34)
    assert "codex 5h 12%" in oneseat(seat, "limits", "--statusline")


def test_limits_are_asked_for_without_a_run(seat: CodexSeat) -> None:
    shown = oneseat(seat, "limits", "--refresh")
    codex = shown.partition("codex-cli, simulator")[2]
    assert "12 %" in codex
    assert "the CLI" in codex
    assert seat.simulator.messages("codex") == []


def test_the_doctor_says_what_it_would_sign_in_with_and_what_would_win(seat: CodexSeat) -> None:
    seat.env["CODEX_API_KEY"] = "sk-PLANTED"
    shown = oneseat(seat, "doctor")
    assert "0.171.0; tested 0.171.0" in shown
    assert "chatgpt, plan plus, file at" in shown
    kept = next(line for line in shown.splitlines() if "CODEX_API_KEY" in line)
    assert "environment" in kept
    assert "PLANTED" not in shown
    report = json.loads(oneseat(seat, "doctor", "--json"))["codex"]
    assert (report["wallet"], report["refusal"], report["login"]["auth_mode"]) == (
        "simulator",
        None,
        "chatgpt",
    )
    seat.write_login(auth_mode="apikey", OPENAI_API_KEY="sk-PLANTED")
    shown = oneseat(seat, "doctor")
    assert "billing.api_key_wins" in shown
    assert "codex login" in shown
    assert "PLANTED" not in shown


def test_a_server_does_the_run_and_names_the_callers_keys(seat: CodexSeat) -> None:
    server = subprocess.Popen(
        [ONESEAT, "serve", "--no-http"],
        env=seat.env,
        cwd=seat.cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if b"stop with Ctrl-C" in line:
                    break
            seat.env["CODEX_API_KEY"] = "sk-PLANTED"
            ran = json.loads(oneseat(seat, "run", "--provider", "codex-cli", "--json", "hello"))
            assert ran["receipt"]["verdict"] == "verified"
            assert "kept:CODEX_API_KEY" in [evidence["what"] for evidence in ran["receipt"]["evidence"]]
            assert json.loads(oneseat(seat, "status", "--json"))["server"]["last_cold"] is None
            seat.env["CODEX_HOME"] = str(seat.root / "another")
            oneseat(seat, "run", "--provider", "codex-cli", "--json", "hello")
            cold = json.loads(oneseat(seat, "status", "--json"))["server"]["last_cold"]
            assert "CODEX_HOME" in cold["why"]
        finally:
            server.terminate()
