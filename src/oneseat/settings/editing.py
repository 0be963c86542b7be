"""Edits a settings file without changing any other line or comment."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from .positions import Key, positions

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
Value = str | bool | int | float


def with_table(text: str, table: Key, values: Mapping[str, Value]) -> str | None:
    """``text`` with a new table at its end; ``None`` when TOML does not allow it, as after ``keys = {...}``."""
    end = _line_end(text)
    between = "" if not text.strip() else end if text.endswith("\n") else end * 2
    lines = [f"[{dotted(table)}]", *(f"{name} = {toml_literal(value)}" for name, value in values.items())]
    return _if_it_means(f"{text}{between}{end.join(lines)}{end}", text, table, dict(values))


def with_value(text: str, table: Key, name: str, value: Value) -> str | None:
    """``text`` with a value added directly below a table's header; ``None`` when the table has no header."""
    found = positions(text.removeprefix("\ufeff")).get(table)
    if found is None:
        return None
    lines = text.split("\n")
    # Only a header starts with a bracket; a dotted key of the same name does not.
    if not lines[found[0] - 1].lstrip("\ufeff \t").startswith("["):
        return None
    end = _line_end(text)
    lines.insert(found[0], f"{name} = {toml_literal(value)}{end.removesuffix(chr(10))}")
    new = "\n".join(lines)
    return _if_it_means(new if new.endswith("\n") else new + end, text, table, {name: value})


def dotted(key: Key) -> str:
    """A dotted key in TOML syntax."""
    return ".".join(part if _BARE.fullmatch(part) else toml_literal(part) for part in key)


def toml_literal(value: Value) -> str:
    """A value in TOML syntax."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _if_it_means(new: str, old: str, table: Key, values: Mapping[str, Value]) -> str | None:
    """``new``, if it says what ``old`` said and these values of ``table`` as well; nothing else may have changed."""
    expected = tomllib.loads(old.removeprefix("\ufeff"))
    place: Any = expected
    for part in table:
        place = place.setdefault(part, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict) or place.keys() & values.keys():
        return None
    place.update(values)
    try:
        return new if tomllib.loads(new.removeprefix("\ufeff")) == expected else None
    except ValueError:
        return None
