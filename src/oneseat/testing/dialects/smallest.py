"""Builds a small value that matches a JSON schema, for requests that ask for a structured answer."""

from __future__ import annotations

import math
from typing import Any, TypeGuard
from urllib.parse import unquote

_Schema = dict[str, Any]
#: A bound, and whether it is exclusive.
_Bound = tuple[Any, bool]

_TEXT = "text"
_EXAMPLES = {"boolean": True, "null": None}
_FORMATS = {
    "date-time": "2026-12-01T09:00:00Z",
    "date": "2026-12-01",
    "time": "09:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
#: The type that a schema without `type` implies, by the first of these keywords in it.
_TYPE_OF = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "prefixItems": "array",
    "minItems": "array",
    "minLength": "string",
    "format": "string",
    "pattern": "string",
    "minimum": "number",
    "exclusiveMinimum": "number",
    "multipleOf": "number",
}
#: Below this depth, optional values are left out and ``null`` is preferred, so that recursive schemas terminate.
_DEEP = 6
_TOO_DEEP = 40
#: The maximum length of a string or array: a schema may ask for more than fits into memory.
_MOST = 10_000


def smallest(schema: object) -> Any:
    """A small value that matches ``schema``, if this module supports all of the schema's keywords. Never raises."""
    return _value(schema, schema if isinstance(schema, dict) else {}, 0)


def _value(schema: object, root: _Schema, depth: int, number: int = 0) -> Any:
    """``number`` is the position in an array, whose values may have to differ."""
    if not isinstance(schema, dict):
        return {}
    whole = _resolved(schema, root, depth)
    if depth > _TOO_DEEP:
        return None
    if "const" in whole:
        return whole["const"]
    if isinstance(whole.get("enum"), list) and whole["enum"]:
        return whole["enum"][number % len(whole["enum"])]
    return _of_kind(_kind(whole, depth), whole, root, depth, number)


def _of_kind(kind: str, schema: _Schema, root: _Schema, depth: int, number: int) -> Any:
    match kind:
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, depth)
        case "integer" | "number":
            return _number(schema, whole=kind == "integer") + number
        case "string":
            return _string(schema, number)
        case _:
            return _EXAMPLES.get(kind)


def _resolved(schema: _Schema, root: _Schema, depth: int) -> _Schema:
    """``schema`` with its reference followed, ``allOf`` joined, and one of its alternatives chosen."""
    whole = dict(schema)
    for _ in range(_TOO_DEEP):
        if isinstance(whole.get("$ref"), str):
            whole = {**_target(whole.pop("$ref"), root), **whole}
        elif isinstance(whole.get("allOf"), list):
            for part in whole.pop("allOf"):
                whole = _joined(whole, part)
        elif options := _options(whole):
            del whole["anyOf" if "anyOf" in whole else "oneOf"]
            simple = [each for each in options if "$ref" not in each] if depth > _DEEP else []
            whole = _joined(whole, (simple or options)[0])
        else:
            break
    return whole


def _options(schema: _Schema) -> list[_Schema]:
    found = schema.get("anyOf", schema.get("oneOf"))
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _joined(one: _Schema, other: object) -> _Schema:
    if not isinstance(other, dict):
        return one
    joined = {**one, **other}
    if isinstance(one.get("properties"), dict) and isinstance(other.get("properties"), dict):
        joined["properties"] = {**one["properties"], **other["properties"]}
    if isinstance(one.get("required"), list) and isinstance(other.get("required"), list):
        joined["required"] = [*one["required"], *other["required"]]
    return joined


def _target(reference: str, root: _Schema) -> _Schema:
    """The schema that a reference within the same schema points to; an empty one for any other reference."""
    found: Any = root
    for step in unquote(reference).removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) and reference.startswith("#") else {}


def _kind(schema: _Schema, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kinds = [each for each in kind if isinstance(each, str)]
        kind = "null" if depth > _DEEP and "null" in kinds else next(iter(kinds), None)
    if isinstance(kind, str):
        return kind
    return next((kind for word, kind in _TYPE_OF.items() if word in schema), "object")


def _object(schema: _Schema, root: _Schema, depth: int) -> _Schema:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    names = required if isinstance(required, list) else [] if depth > _DEEP else [*properties]
    names = list(dict.fromkeys(name for name in names if isinstance(name, str)))
    names += [name for name in properties if name not in names][
        : max(0, _count(schema, "minProperties") - len(names))
    ]
    more = schema.get("additionalProperties")
    names += [f"key{number}" for number in range(len(names), _count(schema, "minProperties"))]
    return {name: _value(properties.get(name, more), root, depth + 1) for name in names}


def _array(schema: _Schema, root: _Schema, depth: int) -> list[Any]:
    first = schema.get("prefixItems")
    first = first[:_MOST] if isinstance(first, list) else []
    usual = 0 if depth > _DEEP or schema.get("items") is False else 1
    size = max(_count(schema, "minItems", usual), len(first))
    size = min(size, _count(schema, "maxItems", size))
    items = [*first, *_each_option(schema.get("items"), size, depth)][:size]
    differ = schema.get("uniqueItems") is True
    return [_value(item, root, depth + 1, number if differ else 0) for number, item in enumerate(items)]


def _each_option(items: Any, size: int, depth: int) -> list[Any]:
    """One schema per item: a tuple may have reached the vendor as the alternatives of its items, in their order."""
    options = _options(items) if isinstance(items, dict) and len(items) == 1 and depth <= _DEEP else []
    return [options[number % len(options)] if options else items for number in range(size)]


def _count(schema: _Schema, word: str, usual: int = 0) -> int:
    found = schema.get(word)
    return min(_MOST, max(0, found)) if isinstance(found, int) and not isinstance(found, bool) else usual


def _string(schema: _Schema, number: int) -> str:
    text = _FORMATS.get(str(schema.get("format")), _TEXT) + (str(number) if number else "")
    return text.ljust(_count(schema, "minLength"), "x")[: _count(schema, "maxLength", _MOST)]


def _number(schema: _Schema, *, whole: bool) -> Any:
    low, high = _bound(schema, "minimum", "exclusiveMinimum"), _bound(schema, "maximum", "exclusiveMaximum")
    step = schema.get("multipleOf")
    try:
        if whole or _is_number(step):
            unit = step if _is_number(step) and step > 0 else 1
            value = _multiple(unit, low, high)
            return int(value) if whole else value
        return 1.5 if _within(1.5, low, high) else _between(low, high)
    except OverflowError:  # bounds beyond the range of a float
        return 1


def _multiple(unit: Any, low: _Bound | None, high: _Bound | None) -> Any:
    value = unit * math.ceil(1 / unit)
    if not _within(value, low, None):
        value = unit * math.ceil(low[0] / unit) if low else value
        value += 0 if _within(value, low, None) else unit
    if not _within(value, None, high):
        value = unit * math.floor(high[0] / unit) if high else value
        value -= 0 if _within(value, None, high) else unit
    return value


def _between(low: _Bound | None, high: _Bound | None) -> Any:
    if low and high:
        return (low[0] + high[0]) / 2
    return low[0] + 1 if low else high[0] - 1 if high else 1.5


def _within(value: Any, low: _Bound | None, high: _Bound | None) -> bool:
    above = low is None or value > low[0] or (value == low[0] and not low[1])
    return above and (high is None or value < high[0] or (value == high[0] and not high[1]))


def _bound(schema: _Schema, word: str, exclusive: str) -> _Bound | None:
    """A bound and whether it is exclusive, which the oldest drafts express by ``true``."""
    plain, strict = schema.get(word), schema.get(exclusive)
    if _is_number(strict):
        return strict, True
    return (plain, strict is True) if _is_number(plain) else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
