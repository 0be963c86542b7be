"""What each vendor is told of a schema: no word that it would answer with an error, or drop the schema for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic import transform_schema

from oneseat.contract.errors import UsageError
from oneseat.providers.schemas import is_strict, portable, with_plain_types
from oneseat.rules.inputs.schemas import check_schema
from oneseat.testing import Simulator
from tests.e2e.driving import Seat

#: Each of these made the official CLI drop the whole schema without an error.
DROPPED: dict[str, dict[str, Any]] = {
    "unknown word": {"type": "string", "x-note": "hello"},
    "identity escape": {"type": "string", "pattern": "^a\\Z"},
    "named group": {"type": "string", "pattern": "(?P<x>a)"},
    "anchor": {"$ref": "#x"},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}], "items": False},
    "unevaluated": {"type": "object", "unevaluatedProperties": False},
    "dependent": {"type": "object", "dependentRequired": {"a": ["b"]}},
    "discriminator": {"oneOf": [{"type": "string"}], "discriminator": {"propertyName": "k"}},
    "dynamic": {"$dynamicRef": "#n"},
    "contains": {"type": "array", "contains": {"type": "string"}, "minContains": 2},
    "nullable": {"anyOf": [{"type": "string"}, {"type": "null"}], "nullable": True},
    "matching": {"type": "object", "properties": {"ab": {}}, "patternProperties": {"^a": {}}},
}


def whole(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/answer",
        "type": "object",
        "properties": fields,
        "required": [*fields],
        "$defs": {
            "x": {"$anchor": "x", "type": "string"},
            "n": {"$dynamicAnchor": "n", "type": ["string", "null"]},
        },
    }


@pytest.mark.parametrize("form", DROPPED)
def test_the_official_cli_takes_every_schema(
    form: str, tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    seat = Seat(tmp_path, claude_path, simulator, "structured-text")
    (seat.cwd / "s.json").write_text(json.dumps(whole({"a": DROPPED[form]})))
    seat.run("run", "x", "--json", "--schema", "s.json")
    assert "StructuredOutput" in [tool["name"] for tool in simulator.messages()[0].body["tools"]]


def test_what_means_the_same_stays() -> None:
    kept = {"type": "string", "pattern": "^[\\w-]+\\.(?:a|b){2,}$", "minLength": 3, "format": "date"}
    named_like_words = {"$schema": {"type": "string"}, "contains": kept}
    assert portable(whole(named_like_words))["properties"] == named_like_words
    assert portable(whole({"a": DROPPED["anchor"]}))["properties"]["a"] == {"$ref": "#/$defs/x"}
    assert portable({"type": "integer", "minimum": 3, "exclusiveMinimum": True}) == {
        "type": "integer",
        "exclusiveMinimum": 3,
    }


@pytest.mark.parametrize(
    "field",
    [
        {"type": ["string", "null"], "minLength": 2},
        {"description": "anything"},
        True,
        {"$ref": "#/definitions/y"},
        *DROPPED.values(),
    ],
)
def test_the_sdk_takes_every_schema(field: Any) -> None:
    schema = {**whole({"a": field}), "definitions": {"y": {"type": ["integer", "null"]}}}
    told = json.dumps(transform_schema(with_plain_types(portable(schema))))
    assert '"type": [' not in told
    assert "definitions" not in told
    assert "$schema" not in told


def test_a_word_outside_of_the_strict_ones_is_not_enforced() -> None:
    strict: dict[str, Any] = {
        "type": "object",
        "properties": {"type": {"type": ["string", "null"]}},
        "required": ["type"],
    }
    strict["additionalProperties"] = False
    assert is_strict(strict)
    assert not is_strict({**strict, "allOf": []})
    assert not is_strict({**strict, "properties": {"type": {"type": "string", "minLength": 2}}})


@pytest.mark.parametrize(
    "reference", ["#/$defs/none", "#nowhere", "https://example.com/other.json", "other.json"]
)
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_schema({"type": "object", "properties": {"a": {"$ref": reference}}}, "s.json")
    assert raised.value.info.code == "usage.bad_schema"
