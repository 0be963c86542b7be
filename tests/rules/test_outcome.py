"""What a turn that has just started is worth."""

from __future__ import annotations

import pytest

from oneseat.contract.events import Started
from oneseat.contract.request import McpServer, Request, Tools
from oneseat.rules.runs.outcome import judge_start


def request(*names: str) -> Request:
    return Request(
        prompt="p", cwd="/", mcp_servers=tuple(McpServer(name=name, command="/x") for name in names)
    )


def started(*servers: str, tools: tuple[str, ...] = ()) -> Started:
    return Started(run_id="r", provider="p", model=None, cwd="/", mcp_servers=servers, tools=tools)


@pytest.mark.parametrize("servers", [(), ("db:failed",), ("db:pending",), ("other:connected",), ("db",)])
def test_a_server_that_is_not_connected_when_the_turn_starts_ends_the_run(servers: tuple[str, ...]) -> None:
    error = judge_start(request("db"), started(*servers))
    assert error is not None
    assert error.code == "incomplete.servers_missing"
    assert "`db`" in error.message


def test_a_server_that_nobody_asked_for_ends_the_run() -> None:
    error = judge_start(request("db"), started("db:connected", "mail:connected"))
    assert error is not None
    assert error.code == "incomplete.strange_server"
    assert "`mail`" in error.message


def test_with_its_servers_and_tools_a_turn_goes_on() -> None:
    assert judge_start(request("db"), started("db:connected")) is None
    assert judge_start(request(), started()) is None
    whole = Tools(names=("mcp__db",), required=("mcp__db",))
    asking = Request(prompt="p", cwd="/", tools=whole)
    assert judge_start(asking, started(tools=("mcp__db__query",))) is None
    error = judge_start(asking, started(tools=("mcp__dbx__query",)))
    assert error is not None
    assert error.code == "incomplete.tools_missing"
