"""The simulator's values for the schema of a request: they fit, and no schema ends the simulator."""

from __future__ import annotations

from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.providers.schemas import portable
from oneseat.testing.dialects.smallest import smallest

_TREE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    "required": ["name", "below"],
}
FITTING: list[dict[str, Any]] = [
    {"type": ["string", "null"]},
    {"type": ["null", "integer"]},
    {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 9}]},
    {"oneOf": [{"$ref": "#/$defs/a~1b"}], "$defs": {"a/b": {"enum": ["x", "y"]}}},
    {
        "allOf": [
            {"type": "object", "required": ["a"]},
            {"required": ["b"], "properties": {"b": {"const": 7}}},
        ]
    },
    {"$ref": "#/$defs/tree", "$defs": {"tree": _TREE}},
    {"type": "object", "properties": {"next": {"$ref": "#"}}},
    {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    },
    {"type": "string", "minLength": 12, "maxLength": 14},
    {"type": "string", "maxLength": 0},
    {"type": "integer", "minimum": 18, "maximum": 20},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "exclusiveMinimum": 1, "multipleOf": 5},
    {"type": "integer", "exclusiveMaximum": 1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1},
    {"type": "number", "minimum": 2, "maximum": 2},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    {"type": "string", "format": "date-time"},
    {"properties": {"a": True}, "required": ["a", "b"]},
]


@pytest.mark.parametrize("schema", FITTING, ids=lambda schema: msgspec.json.encode(schema).decode()[:60])
def test_a_value_fits_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(smallest(schema))


@pytest.mark.parametrize("asked", [tuple[int, str], tuple[str, int, bool], list[tuple[str, float]]], ids=str)
def test_a_value_fits_a_tuple_whose_schema_was_made_portable(asked: Any) -> None:
    (whole,), defs = msgspec.json.schema_components([asked])
    jsonschema.Draft202012Validator(whole).validate(smallest(portable(whole)))
    assert not defs


_WORDS = st.sampled_from(
    [
        *(
            "type",
            "properties",
            "required",
            "items",
            "prefixItems",
            "anyOf",
            "oneOf",
            "allOf",
            "$ref",
            "enum",
            "const",
        ),
        *(
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "multipleOf",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
        ),
        *("uniqueItems", "minProperties", "format", "additionalProperties"),
    ]
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        ["#", "#/properties/a", "#/allOf/0", "string", "object", "array", "integer", "null", "number"]
    ),
)


def _nested(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(below, max_size=3), st.dictionaries(_WORDS | st.just("a"), below, max_size=4))


@given(schema=st.recursive(_LEAVES, _nested, max_leaves=20))
def test_no_schema_breaks_it(schema: object) -> None:
    msgspec.json.encode(smallest(schema))
