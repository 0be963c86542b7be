"""JSON Schemas: checked before they are sent, and the answer checked against them."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError

#: The tool by which the official CLI lets a model give its structure. It acts on nothing.
STRUCTURE_TOOL = "StructuredOutput"
#: How many complaints a message carries; a wrong answer can have hundreds.
_SHOWN = 5


def check_schema(schema: object, source: str) -> dict[str, Any]:
    """Return ``schema`` when it is a JSON Schema for an object. Raises ``UsageError`` ``usage.bad_schema``.

    The official CLI ignores a schema it cannot use without a word and answers in plain text (measured).
    """
    import jsonschema  # noqa: PLC0415 - 60 ms that only runs with a schema pay

    if not isinstance(schema, dict):
        raise _bad(source, "a schema is a JSON object")
    try:
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _bad(source, f"{_place(error)}: {error.message}") from error
    if schema.get("type") != "object":
        raise _bad(source, 'the answer is an object, so the schema must say `"type": "object"`')
    return schema


def structure_of(structured: object, text: str) -> object:
    """The structure of an answer: the provider's own, else the text read as JSON, else ``None``."""
    if structured is not None:
        return structured
    try:
        return msgspec.json.decode(text.strip().removeprefix("```json").removesuffix("```"))
    except (msgspec.DecodeError, RecursionError):
        return None


def repair_prompt(found: list[str]) -> str:
    """What the model is told when its answer does not fit."""
    return (
        "Your answer does not fit the schema:\n"
        + "\n".join(f"- {line}" for line in found)
        + "\nGive it again, whole and valid."
    )


def schema_errors(schema: dict[str, Any], value: object) -> list[str]:
    """What is wrong with ``value`` under ``schema``; nothing when it fits."""
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
        # The vendor wants the object itself on top, not a reference to it.
        schema = {**schema["$defs"][name], "$defs": schema["$defs"]}
    return check_schema(schema, kind.__qualname__)


def _place(error: Any) -> str:
    return "/".join(map(str, error.absolute_path)) or "the whole"


def _bad(source: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(code="usage.bad_schema", message=f"The schema cannot be used: `{source}`\n  {why}")
    )
