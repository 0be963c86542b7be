"""JSON Schemas in the words that each vendor understands. The whole schema is what oneseat checks the answer against."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_Schema = dict[str, Any]

_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_SINGLE = frozenset(
    {"items", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else"}
)
_VALUES = frozenset(
    {
        "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum",
        "maxLength", "minLength", "pattern", "format", "maxItems", "minItems", "uniqueItems", "maxProperties",
        "minProperties", "required", "title", "description", "default", "deprecated", "readOnly", "writeOnly",
        "examples", "$ref",
    }
)  # fmt: skip
#: All that OpenAI's API takes in a strict schema; it answers any other word with an error.
_STRICT = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs",
        "definitions", "title", "description", "pattern", "format", "multipleOf", "maximum", "exclusiveMaximum",
        "minimum", "exclusiveMinimum", "maxItems", "minItems",
    }
)  # fmt: skip
_STRICT_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
#: Regular expressions that mean the same in Python and in JavaScript's Unicode mode.
_COMMON_PATTERN = re.compile(
    r"(?:[^\\{}\[\]()]|\\[dDwWsSbBtnrfv^$\\.*+?()\[\]{}|/]|\{\d+(?:,\d*)?\}|\((?:(?!\?)|\?(?:[:=!]|<[=!]))|\)"
    r"|\[\^?(?:[^\\\[\]]|\\[dDwWsSbtnrfv^$\\.*+?()\[\]{}|/-])*\])*"
)
_CLASS_IN_RANGE = re.compile(r"\\[dDwWsS]-[^\]]|-\\[dDwWsS]")


def portable(schema: _Schema) -> _Schema:
    """``schema`` in the words of draft 7 that later drafts share.

    With any other word, the official CLI drops the whole schema without an error and the model answers in plain text. What is
    left out only makes it wider.
    """
    translated: _Schema = _Translator(schema).translated(schema)
    return translated


def with_plain_types(schema: _Schema) -> _Schema:
    """A ``portable`` schema for Anthropic's API: no list of types, no boolean schemas, definitions in ``$defs`` only."""
    moved = {**schema, "$defs": {**schema.get("definitions", {}), **schema.get("$defs", {})}}
    moved.pop("definitions", None)
    if not moved["$defs"]:
        del moved["$defs"]
    plain: _Schema = _plain(moved)
    return plain


def is_strict(schema: object) -> bool:
    """Whether OpenAI's API can enforce a schema: every object names all of its fields and allows no others."""
    if not isinstance(schema, dict):
        return False
    if not schema.keys() <= _STRICT or schema.get("format", "date") not in _STRICT_FORMATS:
        return False
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        required = schema.get("required")
        names = set(properties) if isinstance(properties, dict) else set()
        if schema.get("additionalProperties") is not False:
            return False
        if names != set(required if isinstance(required, list) else ()):
            return False
    return all(is_strict(below) for word, below in _below(schema) if word != "additionalProperties")


def _below(schema: _Schema) -> Iterator[tuple[str, Any]]:
    """Each schema directly within ``schema``, with the word that it belongs to."""
    for word, value in schema.items():
        if word in _MAPS and isinstance(value, dict):
            yield from ((word, each) for each in value.values())
        elif word in _LISTS and isinstance(value, list):
            yield from ((word, each) for each in value)
        elif word in _SINGLE:
            yield word, value


class _Translator:
    def __init__(self, whole: _Schema) -> None:
        self._anchors = dict(_anchors(whole, "#"))

    def translated(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        source = _in_old_words(schema)
        new: _Schema = {word: value for word, value in source.items() if word in _VALUES}
        for word, value in source.items():
            if word in _MAPS and isinstance(value, dict):
                new[word] = {name: self.translated(each) for name, each in value.items()}
            elif word in _LISTS and isinstance(value, list):
                new[word] = [self.translated(each) for each in value]
            elif word in _SINGLE:
                new[word] = self.translated(value)
        reference = source.get("$ref")
        if isinstance(reference, str):
            new["$ref"] = self._anchors.get(reference, reference)
        return _without_conflicts(new)


def _anchors(schema: object, place: str) -> Iterator[tuple[str, str]]:
    """Every named place in a schema with its path, as references write both."""
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from _anchors(each, f"{place}/{index}")
    if isinstance(schema, dict):
        for word in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(word), str):
                yield f"#{schema[word]}", place
        for name, each in schema.items():
            yield from _anchors(each, f"{place}/{name.replace('~', '~0').replace('/', '~1')}")


def _in_old_words(schema: _Schema) -> _Schema:
    """Words of later and earlier drafts replaced by the ones that all understand."""
    new = dict(schema)
    for word in ("$dynamicRef", "$recursiveRef"):
        if isinstance(new.get(word), str):
            new.setdefault("$ref", new[word])
    if isinstance(new.get("prefixItems"), list) or isinstance(new.get("items"), list):
        first = new["prefixItems"] if "prefixItems" in new else new["items"]
        rest = new.get("items") if "prefixItems" in new else new.get("additionalItems")
        options = [*first, *([] if rest in (None, False) else [rest])]
        new["items"] = {"anyOf": options} if rest is not None else True
        if rest is False:
            new.setdefault("maxItems", len(first))
    for word, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(new.get(word), bool):
            excluded = new.pop(word)
            if excluded and plain in new:
                new[word] = new.pop(plain)
    return new


def _without_conflicts(schema: _Schema) -> _Schema:
    """Words that are errors beside or without others, and patterns that JavaScript does not know, left out."""
    if "if" not in schema or not schema.keys() & {"then", "else"}:
        for word in ("if", "then", "else"):
            schema.pop(word, None)
    if "contains" in schema:  # how often is a word of its own, without which it would be too narrow
        del schema["contains"]
    if "properties" in schema and "patternProperties" in schema:
        del schema["patternProperties"]
        schema.pop("additionalProperties", None)
    if any(not _is_common(pattern) for pattern in schema.get("patternProperties", ())):
        del schema["patternProperties"]
        schema.pop("additionalProperties", None)
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not _is_common(pattern):
        del schema["pattern"]
        note = f"Matches the regular expression {pattern}"
        schema["description"] = f"{schema['description']}\n\n{note}" if "description" in schema else note
    return schema


def _is_common(pattern: str) -> bool:
    return _COMMON_PATTERN.fullmatch(pattern) is not None and not _CLASS_IN_RANGE.search(pattern)


def _plain(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return {"anyOf": [{"type": kind} for kind in _ANY]}
    new = {word: value for word, value in schema.items() if word not in _MAPS | _LISTS | _SINGLE}
    for word, value in schema.items():
        if word in _MAPS and isinstance(value, dict):
            new[word] = {name: _plain(each) for name, each in value.items()}
        elif word in _LISTS and isinstance(value, list):
            new[word] = [_plain(each) for each in value]
        elif word == "items":
            new[word] = _plain(value)
    if isinstance(new.get("$ref"), str):
        new["$ref"] = new["$ref"].replace("#/definitions/", "#/$defs/", 1)
    kinds = new.get("type")
    if isinstance(kinds, list):
        del new["type"]
    elif kinds is not None or new.keys() & {"$ref", "const", "enum", *_LISTS}:
        return new
    outside = {word: new.pop(word) for word in ("$defs", "title", "description") if word in new}
    return {**outside, "anyOf": [{**_of_type(new, kind), "type": kind} for kind in kinds or _ANY]}


_ANY = ("string", "number", "boolean", "null")
#: Which types a word belongs to; any other word belongs to all of them.
_ONLY: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("properties", "required"), frozenset({"object"})),
    **dict.fromkeys(("items", "minItems", "maxItems", "uniqueItems"), frozenset({"array"})),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), frozenset({"string"})),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "multipleOf"), frozenset({"integer", "number"})
    ),
}


def _of_type(schema: _Schema, kind: str) -> _Schema:
    return {word: value for word, value in schema.items() if kind in _ONLY.get(word, (kind,))}
