"""Python functions as tools: what the assistant is told of them, and which ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oneseat.contract.errors import UsageError
from oneseat.rules.inputs.functions import functions_of, tool


class Point(msgspec.Struct):
    x: int


@tool
def move(to: Point, steps: list[int] = [1], *, fast: bool = False) -> str:  # noqa: B006 - what people write
    """Move there."""
    return f"{to.x} {steps} {fast}"


def test_a_function_is_described_by_its_name_docstring_and_types() -> None:
    (made,) = functions_of([move])
    assert (made.name, made.description, made.read_only) == ("move", "Move there.", False)
    assert made.schema["type"] == "object"
    assert made.schema["required"] == ["to"]
    assert made.schema["properties"]["fast"] == {"type": "boolean", "default": False}
    assert made.schema["$defs"]["Point"]["properties"] == {"x": {"type": "integer"}}


def test_it_stays_a_function() -> None:
    assert move(Point(1)) == "1 [1] False"


def test_arguments_are_checked_before_the_call() -> None:
    (made,) = functions_of([move])
    assert made.bind({"to": {"x": 2}, "fast": True})() == "2 [1] True"
    wrongs: list[object] = [{}, {"to": {"x": "2"}}, {"to": {"x": 2}, "more": 1}, [], None]
    for wrong in wrongs:
        with pytest.raises(msgspec.ValidationError):
            made.bind(wrong)


def untold(a: int) -> None: ...


def untyped(a) -> None:  # type: ignore[no-untyped-def]
    """Do."""


def many(*a: int) -> None:
    """Do."""


def by_place(a: int, /) -> None:
    """Do."""


def strange(a: Callable[[], None]) -> None:
    """Do."""


def unknown(a: Nowhere) -> None:  # type: ignore[name-defined] # noqa: F821
    """Do."""


def a_name_that_is_longer_than_any_name_the_vendor_would_take() -> None:
    """Do."""


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (untold, "no docstring"),
        (untyped, "`a` has no type"),
        (many, "`a` cannot be passed by name"),
        (by_place, "`a` cannot be passed by name"),
        (strange, "JSON cannot carry"),
        (unknown, "type hints cannot be read"),
        (a_name_that_is_longer_than_any_name_the_vendor_would_take, "at most 50"),
        (lambda: None, "`<lambda>`"),
    ],
)
def test_a_function_that_cannot_be_a_tool_is_refused(function: Callable[..., Any], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        tool(function)
    assert caught.value.info.code == "usage.bad_function"
    assert why in caught.value.info.message


def test_only_decorated_functions_with_names_of_their_own_are_taken() -> None:
    for given, why in (([untold], "@oneseat.tool"), ([move, move], "same name")):
        with pytest.raises(UsageError) as caught:
            functions_of(given)
        assert why in caught.value.info.message
