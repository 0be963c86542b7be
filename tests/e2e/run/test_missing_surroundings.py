"""Commands whose working directory was deleted, whose user has no home folder, or whose CLI lies where this user may not go."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

import oneseat
from tests.e2e.driving import ONESEAT, Done, Seat, fake_seat, live_in

#: Starts its arguments in a directory that no longer exists.
_GONE = (
    "import os, sys, tempfile\n"
    "os.chdir(tempfile.mkdtemp())\n"
    "os.rmdir(os.getcwd())\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
#: Starts its arguments as a user who is in no list of users and has no home folder.
_NOBODY = ["unshare", "--user", "--map-user=54321", "--map-group=54321", "env", "-u", "HOME"]


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    return fake_seat(tmp_path, "ok")[0]


def code_of(ended: Done) -> str:
    """The code of the error in the text that a command printed."""
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("  code ")]
    return line.split()[1]


@pytest.mark.parametrize(
    "command",
    [
        "run hi",
        "run hi --add-dir . --tools read",
        "route hi",
        "doctor",
        "doctor --json",
        "config check",
        "config show",
        "policy show",
        "policy explain",
        "init --yes",
        "limits --refresh",
        "log --dir .",
    ],
)
def test_a_deleted_working_directory_is_named(command: str, seat: Seat) -> None:
    seat.command = [sys.executable, "-c", _GONE, ONESEAT]
    ended = seat.run(*command.split())
    assert ended.code == 2
    assert "usage.bad_directory" in ended.stdout + ended.stderr
    assert not (seat.home / "config" / "oneseat.toml").exists()


@pytest.mark.parametrize(
    "command", ["log", "usage", "limits", "status", "key list", "sessions", "advise", "completion bash"]
)
def test_commands_that_need_no_directory_work_in_a_deleted_one(command: str, seat: Seat) -> None:
    seat.command = [sys.executable, "-c", _GONE, ONESEAT]
    assert seat.run(*command.split()).code == 0


def test_the_library_in_a_deleted_directory_raises_a_usage_error(
    seat: Seat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    live_in(seat, monkeypatch)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(oneseat.UsageError) as failed:
        oneseat.run("hi")
    assert failed.value.info.code == "usage.bad_directory"


@pytest.mark.parametrize("variable", ["ONESEAT_CLAUDE_PATH", "ONESEAT_CODEX_PATH"])
def test_a_cli_in_a_folder_that_may_not_be_entered(variable: str, seat: Seat, tmp_path: Path) -> None:
    program = tmp_path / "locked" / "claude"
    program.parent.mkdir()
    program.write_bytes(Path(seat.env["ONESEAT_CLAUDE_PATH"]).read_bytes())
    program.chmod(0o700)
    program.parent.chmod(0)
    seat.env[variable] = str(program)
    seat.become_ordinary()
    provider = ["--provider", "codex-cli"] if "CODEX" in variable else []
    ended = seat.run("run", "hi", "--json", *provider)
    assert (ended.code, ended.result["error"]["code"]) == (7, "provider.cannot_start")
    if not provider:
        checked = seat.run("doctor", "--json")
        assert (checked.code, checked.result["findings"][0]["code"]) == (7, "provider.cannot_start")
        library = 'import oneseat; done = oneseat.run("hi", check=False); print(done.status, done.error.code)'
        seat.command = [*seat.command[:-1], sys.executable]
        assert seat.run("-c", library).stdout == "failed provider.cannot_start\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run hi --mcp-config ~/servers.json", "usage.unreadable_file"),
        ("run hi --mcp-config ~nobody-here/servers.json", "usage.unreadable_file"),
        ("run hi --tools read --add-dir ~/more", "usage.bad_directory"),
        ("run hi --system-file ~/more", "usage.unreadable_file"),
    ],
)
def test_a_path_below_a_home_folder_that_does_not_exist(command: str, code: str, seat: Seat) -> None:
    seat.command = [*_NOBODY, ONESEAT]
    ended = seat.run(*command.split())
    assert (ended.code, code_of(ended)) == (2, code)


def test_a_program_below_a_home_folder_that_does_not_exist(seat: Seat) -> None:
    seat.command = [*_NOBODY, ONESEAT]
    seat.env["ONESEAT_CODEX_PATH"] = "~/codex"
    assert seat.run("doctor").code == 0
    assert seat.run("log", "--dir", "~").code == 0
    seat.env["ONESEAT_CODEX_PATH"] = seat.env[
        "ONESEAT_CLAUDE_PATH"
    ]  # its login is looked for below the home folder
    simulator = seat.env.pop("ONESEAT_SIMULATOR_URL")
    assert code_of(seat.run("run", "hi")) != "bug.unexpected"
    assert "bug.unexpected" not in seat.run("doctor", "--json").stdout
    seat.env["ONESEAT_SIMULATOR_URL"] = simulator
    seat.env["ONESEAT_CLAUDE_PATH"] = "~/claude"
    assert code_of(seat.run("run", "hi")) == "provider.not_found"
    seat.env["ONESEAT_LOG_FILE"] = "~/log"
    assert code_of(seat.run("run", "hi")) == "usage.log_file"


def test_without_any_home_the_folder_has_to_be_named(seat: Seat) -> None:
    seat.command = [*_NOBODY, ONESEAT]
    del seat.env["ONESEAT_HOME"]
    ended = seat.run("run", "hi")
    assert (ended.code, code_of(ended)) == (2, "usage.bad_home")
    assert list(seat.cwd.iterdir()) == []


def test_a_simulator_that_is_gone_is_named_within_a_second(seat: Seat) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        seat.env["ONESEAT_SIMULATOR_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
    ended = seat.run("run", "hi", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (7, "provider.unreachable")
    assert ended.result["receipt"]["duration_ms"] < 1000
    assert ended.result["receipt"]["verdict"] == "nothing_sent"
    assert seat.env["ONESEAT_SIMULATOR_URL"] in ended.result["error"]["message"]
    checked = seat.run("doctor", "--json")
    assert (checked.code, checked.result["findings"][0]["code"]) == (7, "provider.unreachable")
