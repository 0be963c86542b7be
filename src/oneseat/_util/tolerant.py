"""Reads JSON that the strict decoder rejects: lone surrogates, text around the values, and fields of an unexpected type.

Slower than the strict decoder, so it is used only after that one has failed. Functions here raise nothing but
``msgspec.ValidationError``.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec

#: The exceptions of the strict decoder.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: Every escape, so that an escaped backslash is not taken for the start of one: a surrogate pair, a lone surrogate, any other.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB].{2}\\u[dD][c-fC-F].{2}|(u[dD][89a-fA-F].{2})|.)", re.DOTALL)
_LONE_HALF = b"\\ufffd"
_HALF = re.compile("[\ud800-\udfff]")
#: A surrogate encoded as bytes, which is not valid UTF-8.
_RAW_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
#: Strings, which are skipped, and the characters that open or close a level.
_LEVEL = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
#: Values nested deeper are dropped: the decoders would exceed Python's recursion limit.
_DEEPEST = 100
#: Byte order marks, terminal codes and control characters, which are ignored in front of a line.
_TERMINAL = re.compile(
    r"\ufeff|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x20\x7f]"
)
#: How many starting positions of an object are tried in one line: a line of nothing but braces would take quadratic time.
_MOST_TRIES = 1000
_NO = frozenset({"", "0", "false", "no", "off", "none", "null"})
_BIGGEST = 2**63 - 1
#: The fields that hold the text, when there is an object in place of a text.
_TEXTS = ("text", "message", "detail", "error")


class Found(NamedTuple):
    """The objects in a line, and whether it contains anything else besides white space and terminal codes."""

    objects: list[dict[str, Any]]
    other: bool


def mended(data: bytes) -> bytes:
    """``data`` with every lone surrogate and every byte that is not UTF-8 replaced by U+FFFD."""
    if b"\xed" in data:
        data = _RAW_HALF.sub(b"\xef\xbf\xbd", data)
    if b"\\ud" in data or b"\\uD" in data:
        data = _ESCAPE.sub(lambda found: _LONE_HALF if found[1] else found[0], data)
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def without_halves(text: str) -> str:
    """``text`` with every lone surrogate replaced by U+FFFD, as UTF-8 cannot encode it."""
    return _HALF.sub("\ufffd", text)


def encode(value: Any) -> bytes:
    """``value`` as JSON, even if it contains lone surrogates."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_whole(value))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return without_halves(value)
    if isinstance(value, dict):
        return {_whole(key): _whole(inner) for key, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list | tuple) else value


def decode(data: bytes, kind: Any) -> Any:
    """``data`` as ``kind``, field by field if the strict decoder rejects it. Raises ``msgspec.ValidationError``."""
    for attempt in (bytes, mended):
        try:
            return msgspec.json.decode(attempt(data), type=kind)
        except UNREADABLE:
            continue
    found = find_objects(data)
    if not found.objects:
        raise msgspec.ValidationError("no JSON object")
    return read(found.objects[0], kind)


def find_objects(line: bytes) -> Found:
    """The JSON objects in a line that is not a single object: several in a row, or one surrounded by other text.

    Objects inside a truncated object are not returned: they may be quoted there.
    """
    text = mended(line).decode()
    try:
        return _objects(text)
    except RecursionError:
        return _objects(_shallow(text))


def _objects(text: str) -> Found:
    objects, other, at = list[dict[str, Any]](), False, 0
    for _ in range(_MOST_TRIES):
        begin = text.find("{", at)
        if begin < 0:
            break
        other = other or _says_something(text[at:begin])
        try:
            value, at = _decoder().raw_decode(text, begin)
        except json.JSONDecodeError as error:
            other = True
            if error.pos >= len(text) or error.msg.startswith("Unterminated"):
                return Found(objects, other)
            at = max(error.pos, begin + 1)
        else:
            objects.append(value)
    return Found(objects, other or _says_something(text[at:]))


@cache
def _decoder() -> json.JSONDecoder:
    # NaN and infinities become ``None``; control characters in a text must not lose the whole object.
    return json.JSONDecoder(strict=False, parse_constant=lambda _: None, parse_int=_int)


def _int(digits: str) -> int | None:
    # Python refuses to convert longer numbers; none of them is meaningful.
    return int(digits) if len(digits) < sys.int_info.default_max_str_digits else None


def _says_something(text: str) -> bool:
    return bool(_TERMINAL.sub("", text))


def _shallow(text: str) -> str:
    """``text`` with ``null`` for every value that is nested too deeply."""
    kept, depth, begin = list[str](), 0, 0
    for found in _LEVEL.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth == _DEEPEST + 1:
                kept += [text[begin : found.start()], "null"]
        elif found[0] in "]}":
            depth -= 1
            if depth == _DEEPEST:
                begin = found.end()
    return "".join(kept) + (text[begin:] if depth <= _DEEPEST else "")


def read(value: Any, kind: Any) -> Any:
    """A decoded value as ``kind``; an unreadable field gets its default. Raises ``msgspec.ValidationError``."""
    origin = get_origin(kind)
    if origin in {Union, UnionType}:
        return _read_union(value, get_args(kind))
    if origin is list:
        items = value if isinstance(value, list) else [value]
        return list(_readable(items, get_args(kind)[0]))
    if origin is dict and isinstance(value, dict):
        of_value = get_args(kind)[1]
        return {
            name: found[0] for name, each in value.items() if (found := list(_readable([each], of_value)))
        }
    if kind is msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode(value))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _read_struct(value, kind)
    return _read_plain(value, kind)


def _read_struct(value: Any, kind: type[msgspec.Struct]) -> msgspec.Struct:
    if not isinstance(value, dict):
        raise msgspec.ValidationError("not an object")
    fields = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in value:
            for found in _readable([value[field.encode_name]], field.type):
                fields[field.name] = found
    return kind(**fields)


def _readable(values: list[Any], kind: Any) -> Iterator[Any]:
    for value in values:
        try:
            yield read(value, kind)
        except UNREADABLE:
            continue


def _read_union(value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and NoneType in kinds:
        return None
    # Prefer the value's own type over a conversion, and text last: anything can be converted to text.
    for kind in sorted(kinds, key=lambda kind: (kind is not type(value), kind is str)):
        for found in _readable([value], kind) if kind is not NoneType else ():
            return found
    raise msgspec.ValidationError("none of the kinds")


def _read_plain(value: Any, kind: Any) -> Any:
    if kind is bool:
        return _flag(value)
    if kind is str:
        return _text(value)
    found = msgspec.convert(value, kind, strict=False)
    if isinstance(found, int | float) and not (math.isfinite(found) and abs(found) <= _BIGGEST):
        raise msgspec.ValidationError("not a number of anything")
    return found


def _flag(value: Any) -> bool:
    # Anything that does not mean "no" counts as true: these fields say that something is paid, failed or will be retried.
    if value is None:
        raise msgspec.ValidationError("neither yes nor no")
    return value.strip().lower() not in _NO if isinstance(value, str) else bool(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
    elif isinstance(value, list):
        value = "".join(_text(each) for each in value)
    if value is None or isinstance(value, bool):
        raise msgspec.ValidationError("not a text")
    return str(value)
