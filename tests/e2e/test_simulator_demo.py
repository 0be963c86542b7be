"""`oneseat simulator` and `oneseat demo`: the vendor played on this machine, and the gate at work."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from oneseat.testing import SCENARIOS, Simulator

from .driving import Live, Seat, check_snapshot


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path) -> Seat:
    return Seat(tmp_path, claude_path)


def address(live: Live) -> str:
    """Where a simulator that was just started listens, in its own words."""
    said = re.search(
        r"export ONESEAT_SIMULATOR_URL=(http://127\.0\.0\.1:\d+/s/ok)\n", live.read_until("/s/ok\n")
    )
    assert said is not None
    return said[1]


def requests_at(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url.removesuffix('/s/ok')}/_simulator/requests", timeout=10) as answer:
        recorded: list[dict[str, Any]] = json.load(answer)["requests"]
    return recorded


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_simulator_serves_runs_until_it_is_stopped(number: int, seat: Seat) -> None:
    with seat.start("simulator", "--port", "0") as live:
        url = address(live)
        if number == signal.SIGINT:
            seat.env["ONESEAT_SIMULATOR_URL"] = url
            ended = seat.run("run", "say ok", "--json")
            assert (ended.code, ended.result["text"]) == (0, "ok from the simulator")
            assert ended.result["receipt"]["verdict"] == "verified"
            asked = [request for request in requests_at(url) if request["path"].endswith("/v1/messages")]
            assert [request["auth"] for request in asked] == [["bearer"]]
        live.signal(number)
        ended = live.finish()
    assert (ended.code, ended.stderr) == (0, "")


def test_a_port_that_is_taken(seat: Seat) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = seat.run("simulator", "--port", port)
    check_snapshot("simulator-port-taken", seat, ended._replace(stderr=ended.stderr.replace(port, "PORT")))
    check_snapshot("simulator-port-bad", seat, seat.run("simulator", "--port", "70000"))


def test_the_scenarios_are_listed_with_their_meaning(seat: Seat) -> None:
    lines = seat.run("simulator", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(SCENARIOS)
    assert all(len(line.split()) > 1 for line in lines)


def test_a_scenario_nobody_knows_is_named_with_near_ones(seat: Seat) -> None:
    with seat.start("simulator", "--port", "0") as live:
        seat.env["ONESEAT_SIMULATOR_URL"] = address(live).replace("/s/ok", "/s/overloadd")
        ended = seat.run("run", "say ok", "--json")
        live.signal()
        live.finish()
    assert (ended.code, ended.result["error"]["code"]) == (7, "provider.bad_request")
    assert "overloaded" in ended.result["error"]["message"]


def test_the_demo_shows_an_answer_a_key_kept_out_and_a_key_refused(seat: Seat) -> None:
    # What is set here would get in its way, or into it.
    seat.env["ONESEAT_HOME"] = "not/absolute"
    seat.env["ANTHROPIC_BASE_URL"] = "http://10.0.0.1"
    ended = seat.run("demo")
    check_snapshot("demo", seat, ended)
    assert not seat.home.exists()
    seat.assert_nothing_left()


def test_the_demo_without_a_cli(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "nowhere")
    ended = seat.run("demo")
    check_snapshot("demo-without-cli", seat, ended)
    seat.assert_nothing_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing(number: int, seat: Seat) -> None:
    with seat.start("demo") as live:
        live.read_until("Hello. This came")
        live.signal(number)
        ended = live.finish()
    assert ended.code == 130
    seat.assert_nothing_left()


def test_a_schema_with_a_nullable_type_gets_a_value_and_the_simulator_goes_on(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator, "structured")
    fields = {"a": {"type": ["string", "null"]}, "b": {"$ref": "#/$defs/b"}}
    schema = {"type": "object", "properties": fields, "required": ["a", "b"], "$defs": {"b": {"minimum": 5}}}
    (seat.cwd / "s.json").write_text(json.dumps(schema))
    assert seat.run("run", "x", "--json", "--schema", "s.json").result["structured"] == {"a": "text", "b": 6}
