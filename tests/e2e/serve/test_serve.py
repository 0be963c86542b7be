"""Runs through a server are the runs they are without one; where they could not be, the command does them itself."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneseat.host.endpoint import UnixEndpoint
from oneseat.testing import Answer, Behaviour, Simulator, Text, ToolRound, ToolUse, write_fake_cli
from oneseat.testing.fake_cli import Replay, Result, Say, Wait
from oneseat.testing.scenarios import replies_for
from tests.e2e.driving import ONESEAT, Done, Seat, fake_seat, told
from tests.e2e.projects import with_project
from tests.e2e.serving import owners, serving, status, timeless, went_cold
from tests.e2e.sessions.test_sessions import seeing


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Iterator[Seat]:
    simulator.script("play", replies_for("ok", {}))
    seat = Seat(tmp_path, claude_path, simulator, "play")
    yield seat
    seat.assert_nothing_left()


@pytest.fixture
def quick_seat(tmp_path: Path) -> Iterator[Seat]:
    """A seat whose CLI answers at once: for what has nothing to do with the real one."""
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("ok"), Result("ok"))))
    yield seat
    seat.assert_nothing_left()


@pytest.fixture
def held_seat(tmp_path: Path) -> Iterator[tuple[Seat, Path]]:
    """A seat whose first run goes on until it is ended, and the gate that opens when it has its prompt."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Replay(str(gate)), Wait("forever"))))
    yield seat, gate
    seat.assert_nothing_left()


def configure(seat: Seat, text: str) -> None:
    """Write the owner's settings."""
    settings = seat.home / "config" / "oneseat.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("scenario", "form"),
    [
        ("ok", ()),
        ("limit-five-hour", ()),
        ("overage", ("--json",)),
        ("error-after-block", ()),
        ("huge", ("--stream-json",)),
    ],
)
def test_a_run_through_a_server_shows_what_one_without_shows(
    scenario: str, form: tuple[str, ...], seat: Seat, simulator: Simulator
) -> None:
    simulator.script("play", replies_for(scenario, {}))
    configure(seat, "claude.max_retries = 0\nretry.max_attempts = 1\n")
    with serving(seat) as live:
        through = seat.run("run", "say ok", *form)
        with contextlib.closing(sqlite3.connect(seat.ledger, isolation_level=None)) as db:
            # What the first run found out would keep the second from being sent.
            db.execute("DELETE FROM limits")
        cold = seat.run("run", "--cold", "say ok", *form)
        assert timeless(through) == timeless(cold)
        # The one by the server, the other by the command.
        assert [pid == live.pid for pid in owners(seat)] == [True, False]


def test_every_form_of_output_is_the_same_through_a_server(quick_seat: Seat) -> None:
    with serving(quick_seat) as live:
        for form in ("--quiet", "--json", "--stream-json"):
            through = quick_seat.run("run", "say ok", form)
            assert timeless(through) == timeless(quick_seat.run("run", "--cold", "say ok", form))
        assert [pid == live.pid for pid in owners(quick_seat)] == [True, False] * 3


def test_projects_tools_schemas_and_files_go_through_it(seat: Seat, simulator: Simulator) -> None:
    with_project(seat)
    (seat.cwd / "schema.json").write_text('{"type": "object", "properties": {"n": {"type": "integer"}}}')
    (seat.cwd / "notes.txt").write_text("the attached text")
    target = seat.cwd / "made.txt"
    write = ToolUse("Write", {"file_path": str(target), "content": "by a tool"})
    with serving(seat) as live:
        assert seat.run("run", "--project", "shop", "one").code == 0
        second = seat.run("run", "--project", "shop", "--file", "notes.txt", "two", "--json")
        assert second.result["session"]["message"] == 2
        assert "the attached text" in json.dumps(simulator.messages()[-1].body)
        assert seat.run("run", "-", stdin=b"from a pipe").code == 0
        assert told(simulator.messages()[-1]) == "from a pipe"
        simulator.script("play", replies_for("structured", {}))
        assert seat.run("run", "--schema", "schema.json", "go", "--json").result["structured"] is not None
        simulator.script("play", [ToolRound(call=write, answer=Answer(content=(Text("done"),)))])
        done = seat.run("run", "--tools", "Write", "--permission-mode", "acceptEdits", "write", "--json")
        assert (done.code, target.read_text()) == (0, "by a tool")
        assert set(owners(seat)) == {live.pid}


def test_a_key_of_the_caller_is_kept_and_named_as_in_a_run_of_its_own(seat: Seat) -> None:
    caller = seeing(seat, ANTHROPIC_API_KEY="made-up-key", CLAUDE_CODE_USE_BEDROCK="0")
    with serving(seeing(seat, ANTHROPIC_AUTH_TOKEN="the-servers-own")) as live:
        (seat.cwd / ".env").write_text("ANTHROPIC_BASE_URL=http://127.0.0.1:1\n")
        through = caller.run("run", "say ok", "--json")
        cold = caller.run("run", "say ok", "--json", "--cold")
        assert [pid == live.pid for pid in owners(seat)] == [True, False]
    assert timeless(through) == timeless(cold)
    receipt = through.result["receipt"]
    kept = {e["what"]: e["value"] for e in receipt["evidence"] if e["what"].startswith("kept:")}
    assert kept == {
        "kept:ANTHROPIC_API_KEY": "environment",
        "kept:ANTHROPIC_BASE_URL": str(seat.cwd / ".env"),
    }
    assert receipt["verdict"] == "verified"


def test_a_command_with_other_surroundings_does_its_run_itself(quick_seat: Seat) -> None:
    others = {
        "TZ": "Asia/Tokyo",
        "CLAUDE_CODE_OAUTH_TOKEN": "another",
        "CLAUDE_CONFIG_DIR": str(quick_seat.root / "elsewhere"),
        "ONESEAT_MODEL": "opus",
        "ONESEAT_DEPTH": "1",
    }
    with serving(quick_seat) as live:
        for name, value in others.items():
            assert seeing(quick_seat, **{name: value}).run("run", "say ok").code == 0
            assert went_cold(quick_seat) == f"variables differ from the server's: {name}"
        assert seeing(quick_seat, SOMETHING="ELSE").run("run", "say ok").code == 0
        assert [pid == live.pid for pid in owners(quick_seat)] == [False] * len(others) + [True]


def test_a_log_appears_where_the_command_is(quick_seat: Seat) -> None:
    logging = seeing(quick_seat, ONESEAT_LOG="info")
    with logging.start("serve", "--no-http") as live:
        live.read_until("stop with Ctrl-C\n")
        ended = logging.run("run", "--quiet", "say ok")
        assert (ended.code, ended.stderr.startswith("{")) == (0, True)
        assert went_cold(logging) == "the log goes to the command's stderr"
        live.signal(signal.SIGTERM)
        assert live.finish().code == 0


def test_a_token_is_compared_and_never_told(quick_seat: Seat) -> None:
    token = "made-up-token-of-this-test"
    signed_in = seeing(quick_seat, CLAUDE_CODE_OAUTH_TOKEN=token)
    with serving(signed_in) as live:
        assert signed_in.run("run", "say ok").code == 0
        assert owners(quick_seat) == [live.pid]
        assert token not in signed_in.run("status", "--json").stdout


def test_other_settings_of_a_directory_are_obeyed(seat: Seat) -> None:
    with serving(seat) as live:
        (seat.cwd / "oneseat.toml").write_text('[claude]\nmodel = "opus"\n')
        assert "opus" in seat.run("run", "say ok", "--json").result["receipt"]["model"]
        assert live.pid not in owners(seat)
        assert went_cold(seat) == "settings differ from those the server started with: claude.model"


def test_settings_that_are_wrong_are_told_as_ever(quick_seat: Seat) -> None:
    with serving(quick_seat):
        (quick_seat.cwd / "oneseat.toml").write_text("[claude]\nmodle = 1\n")
        done = quick_seat.run("run", "say ok")
        assert (done.code, "code usage.unknown_setting" in done.stderr) == (2, True)


def test_another_umask_is_obeyed(quick_seat: Seat) -> None:
    with serving(quick_seat) as live:
        quick_seat.command = ["/bin/sh", "-c", 'umask 0007; exec "$@"', "sh", *quick_seat.command]
        assert quick_seat.run("run", "say ok").code == 0
        assert live.pid not in owners(quick_seat)
        assert (went_cold(quick_seat) or "").startswith("the umask 007 is not the server's ")


def test_eight_commands_at_once(quick_seat: Seat) -> None:
    ended: list[Done] = []
    with serving(quick_seat) as live:
        threads = [
            threading.Thread(target=lambda: ended.append(quick_seat.run("run", "say ok"))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert owners(quick_seat) == [live.pid] * 8
    assert [(done.code, done.stdout) for done in ended] == [(0, "ok\n")] * 8


def test_more_runs_than_the_server_takes_are_done_without_it(held_seat: tuple[Seat, Path]) -> None:
    seat, gate = held_seat
    configure(seat, "[serve]\nmax_connections = 1\n")
    with serving(seat) as live, seat.start("run", "first") as first:
        gate.write_bytes(b"")
        write_fake_cli(seat.root / "quick", "ok")
        (seat.root / "quick").replace(seat.root / "claude")
        assert seat.run("run", "second").code == 0
        assert [pid == live.pid for pid in owners(seat)] == [True, False]
        assert went_cold(seat) == "the server already has 1 active runs"
        first.signal()
        assert first.finish().code == 130


def test_the_status_of_a_server(held_seat: tuple[Seat, Path]) -> None:
    seat, gate = held_seat
    without = seat.run("status", "--json").result
    assert without["server"] is None
    assert "not running" in seat.run("status").stdout
    with serving(seat) as live, seat.start("run", "--model", "haiku", "wait") as waiting:
        gate.write_bytes(b"")
        server = status(seat)
        assert (server["pid"], server["draining"], server["warm"], server["last_cold"]) == (
            live.pid,
            False,
            [],
            None,
        )
        (run,) = server["runs"]
        assert (run["id"], run["model"], run["age_s"] >= 0) == (seat.runs()[0]["id"], "haiku", True)
        text = seat.run("status").stdout
        assert f"running, process {live.pid}, since " in text
        assert f"{run['id']}  " in text
        waiting.signal()
        waiting.finish()


def test_only_the_owner_can_open_the_door(quick_seat: Seat) -> None:
    with serving(quick_seat):
        folder = quick_seat.home / "state" / "serve"
        # The folder of a test may be too long for the address of a socket; the door is then elsewhere.
        door = Path(UnixEndpoint(str(folder)).address)
        for place in {folder, door.parent}:
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert stat.S_IMODE(door.stat().st_mode) == 0o600
        assert {path.stat().st_uid for path in (*folder.iterdir(), door)} == {os.geteuid()}


def test_a_home_with_a_long_name_is_served_too(tmp_path: Path) -> None:
    root = tmp_path / ("long" * 30)
    root.mkdir()
    seat, _ = fake_seat(root, "ok")
    with serving(seat) as live:
        assert seat.run("run", "say ok").code == 0
        assert owners(seat) == [live.pid]
    seat.assert_nothing_left()


@pytest.mark.parametrize("cold", [(), ("--cold",)])
def test_a_question_is_put_to_the_terminal_of_the_command(
    cold: tuple[str, ...], seat: Seat, simulator: Simulator
) -> None:
    target = seat.cwd / "made.txt"
    write = ToolUse("Write", {"file_path": str(target), "content": "allowed"})
    simulator.script("play", [ToolRound(call=write, answer=Answer(content=(Text("done"),)))])
    with serving(seat) as live:
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(seat.cwd)
            os.execve(ONESEAT, [ONESEAT, "run", "--tools", "Write", "write", *cold], seat.env)
        shown = b""
        while b"Allow it? [y/N]" not in shown:
            shown += os.read(terminal, 65536)
        os.write(terminal, b"y\n")
        while b"receipt: " not in shown:
            shown += os.read(terminal, 65536)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(terminal)
        assert [owner == live.pid for owner in owners(seat)] == [not cold]
    assert target.read_text() == "allowed"
