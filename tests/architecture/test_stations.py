"""No station of the one flow can be skipped: what it hands on is made in one place only."""

from __future__ import annotations

import ast

import pytest

from .source import dotted, name_of, nodes


def makers_of(name: str) -> set[str]:
    """The files of the product that construct ``name``."""
    return {
        name_of(path)
        for path, node in nodes("src")
        if isinstance(node, ast.Call)
        and dotted(node.func).split(".")[-1] == name
        and not name_of(path).startswith("src/oneseat/testing/")
    }


@pytest.mark.parametrize("name", ["Permitted", "Cleared", "Plan"])
def test_what_a_station_hands_on_is_made_by_that_station_alone(name: str) -> None:
    makers = makers_of(name)
    assert len(makers) == 1, makers
    assert all(maker.startswith("src/oneseat/rules/") for maker in makers), makers
