"""The ``mcpServers`` configuration: what is taken, what is filled in, what is refused, and that no value is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.request import McpServer
from oneseat.rules.inputs.mcp_config import servers_of

ENV = {"TOKEN": "tok-12345", "EMPTY": "", "NESTED": "${HOME}"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["type", "command", "args", "env", "url", "headers", "x"])
ENTRY = st.dictionaries(KEYS, JSON | st.sampled_from(["stdio", "http", "sse", "http://h/x", "prog"]))


def find(name: str, path: str | None) -> str | None:
    return f"/bin/{name}" if name == "prog" else None


def servers(**entries: Any) -> tuple[McpServer, ...]:
    return servers_of({"mcpServers": entries}, "f.json", ENV, find)


def refusal(config: object) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        servers_of(config, "f.json", ENV, find)
    assert caught.value.info.code == "usage.bad_mcp_config"
    return caught.value.info


def test_a_program_is_found_and_its_variables_are_filled_in() -> None:
    (server,) = servers(
        db={"command": "prog", "args": ["-t", "${TOKEN}"], "env": {"A": "${MISSING:-a}-${EMPTY:-b}"}}
    )
    assert (server.name, server.type, server.command) == ("db", "stdio", "/bin/prog")
    assert (server.args, server.env) == (("-t", "tok-12345"), {"A": "a-b"})
    assert "tok-12345" in server.secrets


def test_an_address_is_taken_with_its_headers() -> None:
    (server,) = servers(w={"type": "http", "url": "https://h/x?key=k-123", "headers": {"X-A": "v-${TOKEN}"}})
    assert (server.type, server.url, server.headers) == (
        "http",
        "https://h/x?key=k-123",
        {"X-A": "v-tok-12345"},
    )
    assert set(server.secrets) == {"v-tok-12345", "key=k-123", "tok-12345"}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("text", "must be an object"),
        ({"type": "stdio"}, "no `command`"),
        ({"command": ""}, "`command` must be a text"),
        ({"command": "prog", "args": "-x"}, "`args` must be a list"),
        ({"command": "prog", "args": [1]}, "`args[0]` must be a text"),
        ({"command": "prog", "env": []}, "`env` must be an object"),
        ({"command": "prog", "env": {"A=B": "x"}}, "a name that cannot be used"),
        ({"command": "prog", "url": "http://h"}, "must say its `type`"),
        ({"command": "prog", "cwd": "/"}, "unknown key `cwd`"),
        ({"type": "http", "url": "ftp://h/x"}, "must begin with"),
        ({"type": "http", "url": "http://"}, "must begin with"),
        ({"type": "sse", "url": "http://h", "headers": {"A\nB": "x"}}, "a name that cannot be used"),
        ({"command": "prog", "args": ["${NESTED}"]}, "would fill in again"),
        ({"command": "prog", "args": ["${NOPE}"]}, "`NOPE`, which is not set"),
    ],
)
def test_what_cannot_work_is_refused(entry: object, why: str) -> None:
    info = refusal({"mcpServers": {"db": entry}})
    assert "server `db`" in info.message
    assert why in info.message


@pytest.mark.parametrize("config", [None, [], {}, {"mcpServers": []}, {"db": {"command": "prog"}}])
def test_a_configuration_has_the_usual_shape(config: object) -> None:
    assert '{"mcpServers": {...}}' in refusal(config).message
    assert "`extra`" in refusal({"mcpServers": {}, "extra": 1}).message


@pytest.mark.parametrize("name", ["", "a b", "a__b", "-a", "x" * 33, "a.b", "oneseat", "ä"])
def test_a_name_that_tools_could_not_carry_is_refused(name: str) -> None:
    refusal({"mcpServers": {name: {"command": "prog"}}})


def test_no_value_of_a_server_is_shown() -> None:
    made = servers(db={"command": "prog", "env": {"PASSWORD": "hunter2-and"}, "args": ["${TOKEN}"]})
    assert repr(made) == "(McpServer(name='db', type='stdio'),)"
    for entry in (
        {"command": "${TOKEN}", "env": {"P": "hunter2-and"}},
        {"type": "http", "url": "no-${TOKEN}", "headers": {"P": "hunter2-and"}},
        {"command": "prog", "env": {"P": "hunter2-and", "Q": 1}},
    ):
        shown = refusal({"mcpServers": {"db": entry}}).message
        assert "tok-12345" not in shown
        assert "hunter2" not in shown


@given(st.dictionaries(st.text(max_size=6), ENTRY | JSON, max_size=3))
def test_whatever_it_holds_it_is_taken_or_refused(entries: dict[str, Any]) -> None:
    refused: str | None = None
    made: tuple[McpServer, ...] = ()
    try:
        made = servers_of({"mcpServers": entries}, "f.json", ENV, find)
    except UsageError as error:
        refused = error.info.code
    assert refused in {None, "usage.bad_mcp_config"}
    assert refused or [server.name for server in made] == list(entries)
