"""A script around the CLI that brings code into it, or stands between it and oneseat, gets neither the prompt nor the login."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.testing import Simulator
from tests.e2e.driving import Seat, fake_seat

#: How each one starts the CLI, and what the refusal says of it.
WRAPPERS = {
    "preload": ("LD_PRELOAD= exec CLI", "`LD_PRELOAD`"),
    "bun": ("BUN_OPTIONS=--smol exec CLI", "`BUN_OPTIONS`"),
    "node": ("NODE_OPTIONS= exec CLI", "`NODE_OPTIONS`"),
    "behaviour": ("unset CLAUDE_CODE_DISABLE_ATTACHMENTS; exec CLI", "`CLAUDE_CODE_DISABLE_ATTACHMENTS`"),
    "model": ("ANTHROPIC_MODEL=opus exec CLI", "`ANTHROPIC_MODEL`"),
    "option": ("exec CLI --verbose", "command line"),
    "relay": ("cat | CLI", "input"),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_that_changes_the_cli_is_refused(name: str, tmp_path: Path) -> None:
    script, said = WRAPPERS[name]
    seat, cli = fake_seat(tmp_path, "ok")
    wrap(seat, script, cli.path)
    ended = seat.run("run", "hi", "--json")
    error = ended.result["error"]
    assert (ended.code, error["code"], ended.result["receipt"]["verdict"]) == (
        3,
        "billing.unsafe_child",
        "nothing_sent",
    ), ended
    assert said in error["message"]
    assert "ONESEAT_CLAUDE_PATH" in error["hint"]


@pytest.mark.parametrize("script", ["exec CLI", "CLI", "export HTTPS_PROXY=http://127.0.0.1:9; exec CLI"])
def test_a_wrapper_that_changes_nothing_is_used(script: str, tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    wrap(seat, script, cli.path)
    assert seat.run("run", "hi", "--json").code == 0


def test_the_real_cli_below_a_loader_is_refused(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator)
    wrap(seat, f"exec {next(Path('/').glob('lib*/ld-linux*.so*'))} CLI", claude_path)
    ended = seat.run("run", "hi", "--json")
    assert (ended.code, simulator.messages()) == (3, []), ended


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "ld_audit", "BUN_OPTIONS", "NODE_OPTIONS", "DYLD_INSERT_LIBRARIES"]
)
@pytest.mark.parametrize("table", ["claude", "codex"])
def test_such_a_variable_cannot_be_passed_on(table: str, name: str, tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    settings = seat.home / "config" / "oneseat.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[{table}]\npass_environment = ["{name}"]\n')
    ended = seat.run("run", "hi", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.bad_setting")


def wrap(seat: Seat, script: str, cli: Path) -> None:
    path = seat.root / "wrapped"
    command = f'{cli} "$@"'
    path.write_text("#!/bin/sh\n" + script.replace("CLI", command) + "\n")
    path.chmod(0o700)
    seat.env["ONESEAT_CLAUDE_PATH"] = str(path)
