"""JSON Schemas: checked before they are sent, and the answer checked against them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError

#: The tool by which a model returns a structured answer in the official CLI. It has no side effects.
STRUCTURE_TOOL = "StructuredOutput"
#: How many errors a message lists; an invalid answer can have hundreds.
_SHOWN = 5
#: The keywords of a schema whose values are data, in which `$ref` is not a reference.
_DATA = frozenset({"const", "enum", "default", "examples"})


def check_schema(schema: object, source: str) -> dict[str, Any]:
    """Return ``schema`` when it is a JSON Schema for an object. Raises ``UsageError`` ``usage.bad_schema``.

    The official CLI silently ignores a schema it cannot use and answers in plain text (measured).
    """
    import jsonschema  # noqa: PLC0415 - 60 ms, needed only for runs with a schema

    if not isinstance(schema, dict):
        raise _bad(source, "a schema must be a JSON object")
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _bad(source, f"{_place(error)}: {error.message}") from error
    lost = _lost_reference(schema)
    if lost is not None:
        raise _bad(source, f"nothing in it is called `{lost}`, and no other file is read")
    if schema.get("type") != "object":
        raise _bad(source, 'the answer is an object, so the schema must say `"type": "object"`')
    return schema


def _lost_reference(schema: dict[str, Any]) -> str | None:
    """A reference in ``schema`` without a target within it, which would make answers uncheckable."""
    from referencing import Registry, Resource  # noqa: PLC0415 - comes with jsonschema
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - as above
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - as above

    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    root = resource.id() or ""
    resolver = Registry().with_resource(root, resource).resolver(root)
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            return reference
    return None


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, list):
        for each in schema:
            yield from _references(each)
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for word, each in schema.items():
            if word not in _DATA:
                yield from _references(each)


def structure_of(structured: object, text: str) -> object:
    """The structured answer: the provider's, else the text parsed as JSON, else ``None``."""
    if structured is not None:
        return structured
    try:
        return msgspec.json.decode(text.strip().removeprefix("```json").removesuffix("```"))
    except (msgspec.DecodeError, RecursionError):
        return None


def repair_prompt(found: list[str]) -> str:
    """The prompt that asks the model to correct its answer."""
    return (
        "Your answer does not fit the schema:\n"
        + "\n".join(f"- {line}" for line in found)
        + "\nGive it again, whole and valid."
    )


def schema_errors(schema: dict[str, Any], value: object) -> list[str]:
    """The errors of ``value`` under ``schema``; empty when it is valid."""
    import jsonschema  # noqa: PLC0415 - as above

    validator = jsonschema.validators.validator_for(schema)(schema)
    errors = sorted(
        validator.iter_errors(cast("Any", value)), key=lambda error: list(map(str, error.absolute_path))
    )
    found = [f"{_place(error)}: {error.message[:200]}" for error in errors[:_SHOWN]]
    return found if len(errors) <= _SHOWN else [*found, f"and {len(errors) - _SHOWN} more"]


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of a Python type: a msgspec struct, a dataclass, a TypedDict. Raises ``UsageError`` ``usage.bad_schema``."""
    try:
        schema = msgspec.json.schema(kind)
    except TypeError as error:
        raise _bad(kind.__qualname__, str(error)) from error
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        # The vendor requires an object at the top level, not a reference.
        schema = {**schema["$defs"][name], "$defs": schema["$defs"]}
    return check_schema(schema, kind.__qualname__)


def _place(error: Any) -> str:
    return "/".join(map(str, error.absolute_path)) or "the whole"


def _bad(source: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(code="usage.bad_schema", message=f"The schema cannot be used: `{source}`\n  {why}")
    )
