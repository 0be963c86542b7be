"""MCP servers through the real CLI: real server processes, the simulator's model, nothing sent before all of them are there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from oneseat.settings import Settings
from oneseat.testing import Answer, Simulator, Text, ToolRound, ToolUse
from tests.e2e.driving import Done, Seat

SERVER = str(Path(__file__).parents[2] / "data" / "mcp_server.py")
PASSWORD = "hunter2-and-more"


@pytest.fixture
def either_seat(tmp_path: Path, claude: Path, simulator: Simulator) -> Iterator[Seat]:
    """With the newest and the oldest CLI: where it is theirs to start servers in time."""
    calling(simulator, "db__echo")
    seat = Seat(tmp_path, claude, simulator, "call")
    yield seat
    seat.assert_nothing_left()


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Iterator[Seat]:
    calling(simulator, "db__echo")
    seat = Seat(tmp_path, claude_path, simulator, "call")
    yield seat
    seat.assert_nothing_left()


def server(mode: str, **more: Any) -> dict[str, Any]:
    return {"command": sys.executable, "args": [SERVER, mode], **more}


def config(seat: Seat, **servers: dict[str, Any]) -> str:
    path = seat.root / "mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}), "utf-8")
    return str(path)


def calling(simulator: Simulator, tool: str) -> None:
    call = ToolUse(f"mcp__{tool}", {"text": "hello"})
    simulator.script("call", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))])


def run(seat: Seat, *options: str) -> Done:
    return seat.run("run", "--stream-json", *options, "go")


def of_kind(ended: Done, kind: str) -> list[dict[str, Any]]:
    return [line for line in ended.lines if line["type"] == kind]


def error_of(ended: Done) -> dict[str, Any]:
    error: dict[str, Any] = ended.lines[-1]["error"]
    return error


def test_a_server_of_the_run_is_there_and_its_named_tools_need_no_question(
    either_seat: Seat, simulator: Simulator
) -> None:
    servers = config(either_seat, db=server("ok"))
    ended = run(either_seat, "--mcp-config", servers, "--tools", "mcp__db__echo")
    assert (ended.code, ended.lines[-1]["text"]) == (0, "done"), ended
    assert of_kind(ended, "started")[0]["mcp_servers"] == ["db:connected"]
    assert of_kind(ended, "tool_result")[0]["text"] == "echo hello []"
    assert of_kind(ended, "question") == []


def test_a_tool_that_was_not_named_is_asked_about(seat: Seat, simulator: Simulator) -> None:
    calling(simulator, "db__echo")
    ended = run(seat, "--mcp-config", config(seat, db=server("ok")), "--tools", "mcp__db__hang")
    assert (ended.code, ended.lines[-1]["denials"]) == (0, ["mcp__db__echo"])
    (answered,) = of_kind(ended, "answered")
    assert (answered["tool"], answered["allowed"], answered["by"]) == ("mcp__db__echo", False, "nobody")


def test_a_slow_server_is_waited_for(either_seat: Seat, simulator: Simulator) -> None:
    calling(simulator, "db__echo")
    ended = run(either_seat, "--mcp-config", config(either_seat, db=server("slow")), "--tools", "mcp__db")
    assert (ended.code, of_kind(ended, "tool_result")[0]["is_error"]) == (0, False), ended
    assert of_kind(ended, "question") == []  # the name of a server names all of its tools


def test_a_server_that_dies_ends_the_run_before_anything_is_sent(seat: Seat, simulator: Simulator) -> None:
    dead = server("dies", env={"PASSWORD": PASSWORD})
    ended = run(seat, "--mcp-config", config(seat, db=dead, other=server("ok")))
    error = error_of(ended)
    assert (ended.code, error["code"]) == (8, "incomplete.servers_missing")
    assert "`db`" in error["message"]
    assert "db: failed" in error["message"]
    assert "last output: no database for [secret]" in error["message"]
    assert ended.lines[-1]["receipt"]["verdict"] == "nothing_sent"
    assert simulator.messages() == []


def test_a_hung_server_ends_the_run_in_time_and_dies_with_it(either_seat: Seat, simulator: Simulator) -> None:
    settings = either_seat.home / "config" / "oneseat.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[mcp]\nstart_s = 2\n")
    ended = run(either_seat, "--mcp-config", config(either_seat, db=server("hung")))
    assert error_of(ended)["code"] == "incomplete.servers_missing"
    assert "db: still starting after 2 s" in error_of(ended)["message"]
    assert simulator.messages() == []


def test_a_stubborn_server_and_its_child_die_with_the_run(seat: Seat, simulator: Simulator) -> None:
    calling(simulator, "db__echo")
    ended = run(seat, "--mcp-config", config(seat, db=server("stubborn")), "--tools", "mcp__db")
    assert (ended.code, of_kind(ended, "tool_result")[0]["is_error"]) == (0, False), ended


def test_a_stubborn_server_dies_also_when_the_cli_is_killed(seat: Seat, simulator: Simulator) -> None:
    calling(simulator, "db__hang")
    servers = config(seat, db=server("stubborn"))
    with seat.start("run", "--stream-json", "--mcp-config", servers, "--tools", "mcp__db", "go") as live:
        live.read_until('"tool_call"')
        for child in psutil.Process(live.pid).children():
            if "claude" in child.cmdline()[0]:
                child.kill()
        ended = live.finish()
    assert error_of(ended)["code"] == "provider.killed"


def test_a_crash_and_a_hang_in_a_call_are_told_to_the_model(seat: Seat, simulator: Simulator) -> None:
    settings = seat.home / "config" / "oneseat.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("[mcp]\ntool_s = 1\n")
    servers = config(seat, db=server("ok"))
    for tool, said in (("crash", "Connection closed"), ("hang", "timed out after 1s")):
        calling(simulator, f"db__{tool}")
        ended = run(seat, "--mcp-config", servers, "--tools", "mcp__db")
        (result,) = of_kind(ended, "tool_result")
        assert (ended.code, result["is_error"]) == (0, True)
        assert said in result["text"]


def test_a_tool_that_no_server_has_ends_the_run_before_anything_is_sent(
    seat: Seat, simulator: Simulator
) -> None:
    servers = config(seat, db=server("ok"))
    ended = run(seat, "--mcp-config", servers, "--tools", "mcp__db__nope")
    assert (ended.code, error_of(ended)["code"]) == (8, "incomplete.tools_missing")
    assert "mcp__db__nope" in error_of(ended)["message"]
    ended = run(seat, "--tools", "mcp__db__echo")
    assert error_of(ended)["code"] == "incomplete.tools_missing"


def test_the_servers_of_a_project_come_from_its_file(seat: Seat, simulator: Simulator) -> None:
    calling(simulator, "db__echo")
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True)
    servers = config(seat, db=server("ok", args=[SERVER, "ok", "${GREETING:-hi}", "${WHO}"]))
    path.write_text(
        f'[projects.shop]\ndirectory = "{seat.cwd}"\ntools = "mcp__db"\nmcp_config = "{servers}"\n'
    )
    seat.env["WHO"] = "abc"
    ended = run(seat, "--project", "shop")
    assert of_kind(ended, "tool_result")[0]["text"] == "echo hello ['hi', 'abc']", ended


def test_no_secret_of_a_server_is_seen_or_kept(seat: Seat, simulator: Simulator) -> None:
    calling(simulator, "db__secret")
    seat.env["DB_PASSWORD"] = PASSWORD
    servers = config(seat, db=server("ok", env={"PASSWORD": "${DB_PASSWORD}"}))
    ended = run(seat, "--mcp-config", servers, "--tools", "mcp__db")
    assert of_kind(ended, "tool_result")[0]["text"] == "the password is [secret]"
    assert PASSWORD not in ended.stdout + ended.stderr
    assert [path for path in seat.home.rglob("*.db*") if PASSWORD.encode() in path.read_bytes()] == []


def test_the_configuration_is_private_to_the_run_and_not_on_the_command_line(
    seat: Seat, simulator: Simulator
) -> None:
    calling(simulator, "db__hang")
    servers = config(seat, db=server("ok", env={"PASSWORD": PASSWORD}))
    with seat.start("run", "--stream-json", "--mcp-config", servers, "--tools", "mcp__db", "go") as live:
        live.read_until('"tool_call"')
        (written,) = seat.temporary.glob("*/mcp.json")
        assert PASSWORD in written.read_text()
        assert (written.stat().st_mode & 0o777, written.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        lines = [" ".join(child.cmdline()) for child in psutil.Process(live.pid).children(recursive=True)]
        assert [line for line in lines if PASSWORD in line] == []
        live.signal()
        assert live.finish().code == 130


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "type": ({"db": {"type": "carrier-pigeon", "command": "x"}}, "unknown type `carrier-pigeon`"),
    "no-command": ({"db": {"args": []}}, "it has no `command`"),
    "no-url": ({"db": {"type": "http"}}, "it has no `url`"),
    "no-type": ({"db": {"url": "http://127.0.0.1:9/x"}}, "must say its `type`"),
    "name": ({"a b": {"command": "x"}}, "a name is letters"),
    "taken": ({"oneseat": {"command": "x"}}, "this name is taken"),
    "variable": ({"db": {"command": "${NOT_THERE}"}}, "`NOT_THERE`, which is not set"),
    "not-found": ({"db": {"command": "no-such-program-at-all"}}, "nor the name of a program in PATH"),
    "relative": ({"db": {"command": "./server.py"}}, "nor the name of a program in PATH"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_configuration_is_refused_before_anything_starts(case: str, seat: Seat) -> None:
    entries, why = BAD[case]
    ended = seat.run("run", "--json", "--mcp-config", config(seat, **entries), "go")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.bad_mcp_config")
    assert why in ended.result["error"]["message"]


def test_an_address_that_does_not_answer_ends_the_run_without_its_headers(
    seat: Seat, simulator: Simulator
) -> None:
    wiki = {
        "type": "http",
        "url": f"http://127.0.0.1:9/mcp?key={PASSWORD}",
        "headers": {"Authorization": PASSWORD},
    }
    ended = run(seat, "--mcp-config", config(seat, wiki=wiki))
    assert error_of(ended)["code"] == "incomplete.servers_missing"
    assert "wiki: failed" in error_of(ended)["message"]
    assert PASSWORD not in ended.stdout + ended.stderr
    assert simulator.messages() == []


def test_a_call_is_given_up_before_the_watchdog_ends_the_run() -> None:
    assert Settings().mcp_tool_s < Settings().watchdog_tool_s
