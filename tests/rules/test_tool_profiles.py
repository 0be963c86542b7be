"""Profiles and lists of tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import UsageError
from oneseat.contract.request import Tools
from oneseat.rules.inputs.tools import PROFILES, choose_tools


@pytest.mark.parametrize(
    ("named", "names", "mode"),
    [
        ("none", (), "default"),
        ("", (), "default"),
        ("read", ("Glob", "Grep", "Read"), "default"),
        ("edit", ("Glob", "Grep", "Read", "Edit", "Write"), "acceptEdits"),
        ("read,Bash", ("Glob", "Grep", "Read", "Bash"), "default"),
        (" read , Read ", ("Glob", "Grep", "Read"), "default"),
        ("mcp__notes__Add", ("mcp__notes__Add",), "default"),
    ],
)
def test_a_list_means(named: str, names: tuple[str, ...], mode: str) -> None:
    tools = choose_tools(named)
    assert (tools.names, tools.mode) == (names, mode)


def test_a_mode_that_is_named_wins_over_the_profile() -> None:
    assert choose_tools("edit", "plan").mode == "plan"


@pytest.mark.parametrize("word", ["reed", "bash", "rm -rf", "--help", "Bash;ls", "Re ad"])
def test_a_word_that_is_neither_is_refused_with_a_near_one(word: str) -> None:
    with pytest.raises(UsageError) as raised:
        choose_tools(f"read,{word}")
    assert raised.value.info.code == "usage.unknown_tool"


def test_a_slip_is_met_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as raised:
        choose_tools("reed")
    assert raised.value.info.hint == "Did you mean this: `--tools read`"


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        choose_tools("read", "plann")
    assert raised.value.info.code == "usage.unknown_permission_mode"
    assert raised.value.info.hint == "Did you mean this: `--permission-mode plan`"


@given(st.text(max_size=30))
def test_no_text_gets_an_option_onto_the_command_line(named: str) -> None:
    try:
        tools = choose_tools(named)
    except UsageError:
        return
    assert all(
        name.replace("_", "").replace("-", "").isalnum() and not name.startswith("-") for name in tools.names
    )


def test_what_was_asked_for_and_is_not_there_is_missing() -> None:
    assert choose_tools("read,Bash").missing(("Read", "Glob", "Bash")) == ("Grep",)
    assert choose_tools("all").missing(PROFILES["all"][0]) == ()
    assert Tools().missing(()) == ()
