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
#: How much of one error a message quotes, in characters.
_MOST = 200
#: The words of a schema whose values are data, in which `$ref` means nothing.
_DATA = frozenset({"const", "enum", "default", "examples"})
#: Words by which a check can take more time than schema and answer are long: a regular expression or a comparison of all pairs,
#: in which nothing can interrupt it, and what a reference leads to once more for each way that leads there.
_SLOW = ("pattern", "patternProperties", "uniqueItems", "$ref", "$dynamicRef", "$recursiveRef")
#: Above this size, in characters of JSON, even a simple check takes long enough to hold up other runs.
_QUICK_CHARS = 50_000


def check_schema(schema: object, source: str) -> dict[str, Any]:
    """Return ``schema`` when it is a JSON Schema. Raises ``UsageError`` ``usage.bad_schema``.

    The official CLI silently ignores a schema it cannot use and answers in plain text (measured).
    """
    import jsonschema  # noqa: PLC0415 - 60 ms, needed only for runs with a schema

    if not isinstance(schema, dict):
        raise bad_schema(source, "a schema must be a JSON object")
    try:
        msgspec.json.encode(schema)
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise bad_schema(source, f"{_place(error)}: {error.message[:_MOST]}") from error
    except RecursionError:
        raise bad_schema(source, "it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise bad_schema(source, f"it holds what is no JSON: {error}") from error
    lost = _lost_reference(schema)
    if lost is not None:
        raise bad_schema(source, f"nothing in it is called `{lost}`, and no other file is read")
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
    found = [f"{_place(error)}: {error.message[:_MOST]}" for error in errors[:_SHOWN]]
    return found if len(errors) <= _SHOWN else [*found, f"and {len(errors) - _SHOWN} more"]


def is_quick(schema: dict[str, Any], value: object) -> bool:
    """Whether ``schema_errors`` takes a moment at most, whatever the answer holds."""
    try:
        words, answer = (msgspec.json.encode(each).decode() for each in (schema, value))
    except RecursionError:
        return False
    return len(words) + len(answer) < _QUICK_CHARS and not any(f'"{word}"' in words for word in _SLOW)


def encoded_errors(data: bytes) -> bytes:
    """``schema_errors`` of a schema and a value, for a process of its own: all as JSON. Raises what the checker cannot do."""
    schema, value = msgspec.json.decode(data)
    return msgspec.json.encode(schema_errors(schema, value))


def unchecked(why: str) -> ErrorInfo:
    """The error of an answer that could not be checked against its schema."""
    return ErrorInfo(
        code="incomplete.schema_unchecked",
        message=f"The answer could not be checked against the schema\n  {why}",
        hint="Simplify the schema's patterns. The answer is kept in `structured` and `text`",
    )


def _place(error: Any) -> str:
    return "/".join(map(str, error.absolute_path)) or "the whole"


def bad_schema(source: str, why: str) -> UsageError:
    """The error of a schema from ``source`` that cannot be used."""
    return UsageError(
        ErrorInfo(code="usage.bad_schema", message=f"The schema cannot be used: `{source}`\n  {why}")
    )
