"""Schemas are checked before they are sent, and answers against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import UsageError
from oneseat.rules.inputs.answers import answer_of
from oneseat.rules.inputs.schemas import check_schema, repair_prompt, schema_errors, structure_of

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "schema",
    [
        [],
        "object",
        None,
        {"type": "nope"},
        {"type": "object", "properties": 3},
        {"type": "object", "default": object()},
    ],
)
def test_what_the_cli_would_ignore_without_a_word_is_refused(schema: object) -> None:
    with pytest.raises(UsageError) as raised:
        check_schema(schema, "answer.json")
    assert raised.value.info.code == "usage.bad_schema"
    assert "`answer.json`" in raised.value.info.message


def test_a_schema_for_an_object_is_taken() -> None:
    assert check_schema(SCHEMA, "x") is SCHEMA


@pytest.mark.parametrize(
    ("value", "count"), [({"a": 1}, 0), ({"a": "1"}, 1), ({}, 1), ({"a": 1, "b": 2}, 1), (None, 1)]
)
def test_complaints_name_what_is_wrong(value: object, count: int) -> None:
    assert len(schema_errors(SCHEMA, value)) == count


def test_a_hundred_complaints_are_not_all_told() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    found = schema_errors(schema, {f"k{n}": "x" for n in range(100)})
    assert len(found) == 6
    assert found[-1] == "and 95 more"
    assert "k0" in repair_prompt(found)


class Person(msgspec.Struct):
    name: str
    age: int


@dataclass
class Pair:
    left: Person
    right: Person


class Loose(TypedDict):
    name: str


@pytest.mark.parametrize("kind", [Person, Pair, Loose])
def test_a_python_type_becomes_a_schema_of_an_object(kind: type) -> None:
    schema = answer_of(kind)[0]
    assert schema["type"] == "object"
    assert schema_errors(schema, {})


def test_a_nested_type_is_checked_in_depth() -> None:
    person = {"name": "a", "age": 1}
    assert schema_errors(answer_of(Pair)[0], {"left": person, "right": person}) == []
    assert schema_errors(answer_of(Pair)[0], {"left": person, "right": {"name": "b"}}) == [
        "right: 'age' is a required property"
    ]


@pytest.mark.parametrize(
    ("structured", "text", "found"),
    [
        ({"a": 1}, "ignored", {"a": 1}),
        (None, '{"a": 1}', {"a": 1}),
        (None, '```json\n{"a": 1}\n```', {"a": 1}),
        (None, "I would rather not", None),
    ],
)
def test_the_structure_of_an_answer(structured: Any, text: str, found: Any) -> None:
    assert structure_of(structured, text) == found


@given(st.text(max_size=100))
def test_no_text_can_break_it(text: str) -> None:
    schema_errors(SCHEMA, structure_of(None, text))
