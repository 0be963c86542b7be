"""Structured answers: the JSON Schema of a Python type, and the answer as a value of that type."""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec

from oneseat.contract.receipt import AnswerShape

from .schemas import bad_schema, check_schema

#: Where an object holds an answer that is no object itself: every vendor wants an object at the top level.
FIELD = "answer"
#: What types raise for values that they refuse, whatever library they come from.
_REFUSALS = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError, NameError, msgspec.MsgspecError,
)  # fmt: skip
#: What is no type, though msgspec would take some of it for one.
_NO_TYPES = (str, bytes, int, float, list, tuple, set, types.FunctionType, types.MethodType)
_SHOWN = 500
_SCHEMA_OF, _INSTANCE_OF = "model_json_schema", "model_validate"


class Refused(NamedTuple):
    """A value that the caller's type refuses, and why."""

    why: str


def answer_of(kind: object) -> tuple[dict[str, Any], AnswerShape]:
    """The schema to send for a JSON Schema or a Python type, and how the answer is made from the object that comes back.

    Types are dataclasses, TypedDicts, msgspec structs, attrs classes, enums, models with ``model_json_schema`` and
    ``model_validate`` (pydantic), plain values, and lists, unions and other forms of these. Raises ``UsageError``
    ``usage.bad_schema``.
    """
    if isinstance(kind, Mapping):
        schema = check_schema(dict(kind), "schema")
        return _as_object(schema, None)
    name = _name_of(kind)
    if isinstance(kind, _NO_TYPES):
        raise bad_schema(name[:80], "it is neither a JSON Schema (a `dict`) nor a Python type")
    return _as_object(check_schema(schema_of(kind), name), _maker(kind, name))


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a Python type, see ``answer_of``. Raises ``UsageError`` ``usage.bad_schema``."""
    try:
        schema = msgspec.json.schema(_supported(kind), schema_hook=_schema_of_foreign)
    except (*_REFUSALS, NotImplementedError) as error:
        raise bad_schema(_name_of(kind), str(error).partition("\n")[0]) from error
    return _with_shared_definitions(schema)


def made(shape: AnswerShape, structure: object) -> object | Refused:
    """The answer in ``structure``, an object that fits the schema: of the caller's own type, else as plain JSON."""
    plain: object = shape.plain(structure)
    if shape.make is None:
        return plain
    try:
        value: object = shape.make(plain)
    except _REFUSALS as error:
        lines = [line for line in str(error).splitlines() if "further information" not in line]
        return Refused(" ".join(" ".join(lines).split())[:_SHOWN] or type(error).__name__)
    return value


def _name_of(kind: object) -> str:
    return kind.__qualname__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)


def _as_object(
    schema: dict[str, Any], make: Callable[[Any], Any] | None
) -> tuple[dict[str, Any], AnswerShape]:
    target = schema
    if isinstance(schema.get("$ref"), str) and (found := _definition(schema, schema["$ref"])) is not None:
        target = {**{word: value for word, value in schema.items() if word != "$ref"}, **found}
    if target.get("type") == "object":
        return target, AnswerShape(make=make)
    shared = {word: schema[word] for word in ("$schema", "$defs", "definitions") if word in schema}
    # As a field it is no document of its own any more, so it keeps no name of one.
    document = str(schema.get("$id", ""))
    inner = {word: value for word, value in schema.items() if word not in shared and word != "$id"}
    wrapped = {
        "type": "object",
        "properties": {FIELD: _moved(inner, document)},
        "required": [FIELD],
        "additionalProperties": False,
    }
    return {**wrapped, **_moved(shared, document)}, AnswerShape(field=FIELD, make=make)


def _definition(schema: dict[str, Any], reference: str) -> dict[str, Any] | None:
    """The definition at the top of ``schema`` that a reference names."""
    for word in ("$defs", "definitions"):
        found = schema.get(word, {}).get(reference.removeprefix(f"#/{word}/"))
        if isinstance(found, dict):
            return found
    return None


def _moved(schema: Any, document: str) -> Any:
    """A part of a schema whose root is now one field of the root: references to the root name the new place."""
    if isinstance(schema, list):
        return [_moved(each, document) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        word: _moved_reference(value.removeprefix(document))
        if word == "$ref" and isinstance(value, str)
        else _moved(value, document)
        for word, value in schema.items()
    }


def _moved_reference(reference: str) -> str:
    if reference in ("", "#") or reference.startswith("#/"):
        stays = reference.startswith(("#/$defs/", "#/definitions/"))
        return reference if stays else f"#/properties/{FIELD}{reference[1:]}"
    return reference


def _maker(kind: Any, name: str) -> Callable[[Any], Any]:
    """What makes values of a type. Raises ``UsageError`` for a type of which none can be made."""
    try:
        supported = _supported(kind)
        msgspec.json.Decoder(supported)
    except _REFUSALS as error:
        raise bad_schema(name, str(error).partition("\n")[0]) from error

    def make(plain: Any) -> Any:
        return msgspec.convert(plain, supported, dec_hook=_foreign, str_keys=True)

    return make


def _schema_of_foreign(kind: Any) -> dict[str, Any]:
    """The schema of a type that msgspec does not know."""
    if issubclass(kind, _Alternatives):
        return {"anyOf": [schema_of(each) for each in kind.kinds]}
    found: object = getattr(kind, _SCHEMA_OF, None)
    if not callable(found) or not hasattr(kind, _INSTANCE_OF):
        raise TypeError(f"`{kind.__qualname__}` does not say which JSON it is made from")
    schema: dict[str, Any] = found()
    return schema


def _foreign(kind: Any, plain: Any) -> Any:
    """A value of a type that msgspec does not know."""
    if not issubclass(kind, _Alternatives):
        return getattr(kind, _INSTANCE_OF)(plain)
    why: Exception = ValueError("there is no alternative")
    for each in kind.kinds:
        try:
            return msgspec.convert(plain, _supported(each), dec_hook=_foreign, str_keys=True)
        except _REFUSALS as error:
            why = error
    raise ValueError(f"none of the alternatives fits, the last one because: {why}")


class _AnyInstance(type):
    """msgspec wants what a hook returns to be an instance of the type that it asked for."""

    def __instancecheck__(cls, instance: object) -> bool:
        return True


class _Alternatives(metaclass=_AnyInstance):
    """Stands for a union that msgspec refuses, because its members cannot be told apart by the kind of JSON they are."""

    kinds: tuple[Any, ...] = ()


def _supported(kind: Any) -> Any:
    """``kind`` with ``_Alternatives`` for each union in it that msgspec refuses; fields of classes are left as they are."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        plain = functools.reduce(operator.or_, map(_supported, parts))
        return (
            _AnyInstance("Alternatives", (_Alternatives,), {"kinds": parts}) if _is_refused(plain) else plain
        )
    if origin in (list, tuple, set, frozenset, dict):
        return origin[tuple(part if part is ... else _supported(part) for part in parts)]
    return kind


def _is_refused(kind: Any) -> bool:
    try:
        msgspec.json.Decoder(kind)
    except TypeError:
        return True
    return False


def _with_shared_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` with the definitions of its parts at its root, where their references look for them."""
    shared: dict[str, Any] = {}
    whole: dict[str, Any] = _lifted(schema, shared)
    return {**whole, "$defs": shared} if shared else whole


def _lifted(schema: Any, shared: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_lifted(each, shared) for each in schema]
    if not isinstance(schema, dict):
        return schema
    own = schema.get("$defs")
    if not isinstance(own, dict):
        return {word: _lifted(value, shared) for word, value in schema.items()}
    names = dict(_free_names(own, shared))
    shared |= dict.fromkeys(names.values())
    for name, each in own.items():
        shared[names[name]] = _lifted(_renamed(each, names), shared)
    rest = {word: value for word, value in schema.items() if word != "$defs"}
    return _lifted(_renamed(rest, names), shared)


def _free_names(own: Mapping[str, Any], taken: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A name for each definition that no other one has, such as two classes of one name in two modules."""
    for name, each in own.items():
        new, number = name, 1
        while new in taken and taken[new] != each:
            number += 1
            new = f"{name}_{number}"
        yield name, new


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    if isinstance(schema, list):
        return [_renamed(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        word: f"#/$defs/{names.get(name, name)}"
        if word == "$ref" and isinstance(value, str) and (name := value.removeprefix("#/$defs/")) != value
        else _renamed(value, names)
        for word, value in schema.items()
    }
