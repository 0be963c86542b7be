"""What a newcomer reads first: the help texts, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .driving import ONESEAT, Seat, check_snapshot

COMMANDS = [
    "run",
    "chat",
    "help",
    "log",
    "show",
    "usage",
    "advise",
    "serve",
    "status",
    "doctor",
    "demo",
    "simulator",
    "completion",
    "config",
    "init",
    "key",
]


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """A seat that needs no CLI: nothing here starts one."""
    seat = Seat(tmp_path, tmp_path / "claude")
    seat.env["COLUMNS"] = "300"
    return seat


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_means_and_fits_the_screen(command: str, seat: Seat) -> None:
    ended = seat.run(command, "--help")
    assert (ended.code, ended.stderr) == (0, "")
    assert max(map(len, ended.stdout.splitlines())) <= 100
    options = [line for line in ended.stdout.splitlines() if line.startswith("  -")]
    assert [line for line in options if not line.rstrip().endswith((".", "]"))] == []
    # Something to type, besides the command itself.
    assert "oneseat " in ended.stdout.partition("Options:")[2]
    check_snapshot(f"help-{command}", seat, ended)
    assert seat.run(command, "-h").stdout == ended.stdout


def test_the_help_of_all_lists_every_command_and_comes_without_asking(seat: Seat) -> None:
    ended = seat.run("--help")
    assert seat.run() == ended._replace(arguments=())
    for command in COMMANDS:
        assert f"\n  {command} " in ended.stdout
    check_snapshot("help", seat, ended)


def test_the_version_is_one_line(seat: Seat) -> None:
    name, version = seat.run("--version").stdout.split()
    assert (name, version.count(".")) == ("oneseat", 2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell: str, seat: Seat) -> None:
    ended = seat.run("completion", shell)
    assert (ended.code, ended.stderr) == (0, "")
    assert f"_ONESEAT_COMPLETE={shell}_complete" in ended.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ru", ["run"]),
        ("s", ["show", "sessions", "serve", "status", "simulator"]),
        ("run --sys", ["--system", "--system-file"]),
        ("log --status c", ["completed", "cancelled"]),
        ("completion z", ["zsh"]),
    ],
)
def test_bash_completes(typed: str, offered: list[str], seat: Seat) -> None:
    script = (
        "source <(oneseat completion bash); COMP_WORDS=(oneseat $1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));"
        ' _oneseat_completion oneseat; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(ONESEAT).parent}{os.pathsep}{seat.env['PATH']}"
    bash = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", typed],
        env={**seat.env, "PATH": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert (bash.stdout.split(), bash.stderr) == (offered, "")
