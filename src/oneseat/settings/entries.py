"""What stands in each source of settings: value by value, each with what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from oneseat.contract.errors import UsageError

from . import errors
from .checks import PartError
from .table import NAMED_TABLES, Setting, declared, in_named_tables

#: The name of a settings file, in a project as in the owner's configuration folder.
FILE_NAME = "oneseat.toml"
#: A settings file is a page or two, with a table for each project, key and role. A larger one is a mistake or an attack.
_MAX_FILE_BYTES = 65_536
#: A dotted key of 64 kB takes the parser twenty seconds, and half as long a key a quarter of that. No setting has more than
#: three parts. One look at the whole text, which begins at the start of a part only and never goes back.
_KEY_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|(?<!\\)"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_TOO_DOTTED = re.compile(rf"{_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{32}}")


class Entry(msgspec.Struct, frozen=True):
    """One value of one source: its whole key, the setting's dotted name, and the checked value or the error in its place."""

    key: tuple[str, ...]
    name: str
    value: object
    error: UsageError | None = None


def values_of(entries: Iterable[Entry]) -> dict[str, object]:
    """The values by their dotted names. Raises the first error."""
    values: dict[str, object] = {}
    for entry in entries:
        if entry.error is not None:
            raise entry.error
        values[entry.name] = entry.value
    return values


def rows_of(table: str, values: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """The rows of a named table among values by dotted names."""
    rows: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in declared() and name.startswith(f"{table}."):
            # The name of a row may hold dots, the name of a key does not.
            row, _, key = name.removeprefix(f"{table}.").rpartition(".")
            rows.setdefault(row, {})[key] = value
    return rows


def find_project_file(cwd: Path, own_path: Path) -> Path | None:
    """The settings file of the project that ``cwd`` is in. ``own_path`` is the owner's, which is none of a project."""
    for folder in (cwd, *cwd.parents):
        candidate = folder / FILE_NAME
        if is_file(candidate):
            # In the owner's configuration folder the file is the owner's, with the owner's rights.
            return None if is_file(own_path) and candidate.samefile(own_path) else candidate
        if _exists(folder / ".git"):
            return None
    return None


def is_file(path: Path) -> bool:
    """Whether there is a file that can be looked at."""
    # A named pipe called oneseat.toml would hang the reader; a folder we may not enter would raise.
    try:
        return path.is_file()
    except OSError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def argument_entries(arguments: Mapping[str, object]) -> Iterator[Entry]:
    """What was given by dotted name; ``None`` means not given."""
    for name, value in arguments.items():
        if value is not None:
            yield _checked((name,), declared()[name][1], value, "given as an argument")


def environment_entries(env: Mapping[str, str]) -> Iterator[Entry]:
    """What the variables set, and those that were meant to set something."""
    variables = {setting.env: setting for _, setting in declared().values() if setting.env}
    for name, value in env.items():
        if name in variables:
            yield _checked((name,), variables[name], value, f"set by the environment variable `{name}`")
        elif name.startswith("ONESEAT_"):
            # `ONESEAT_SIMULATOR_ULR` would be ignored, and what it was to simulate would spend the real plan.
            error = errors.misspelt_variable(name, list(variables))
            if error is not None:
                yield Entry((name,), name, None, error)


def file_entries(path: Path, own_path: Path) -> Iterator[Entry]:
    """What a settings file says; ``own_path`` is the owner's. Raises ``UsageError`` for a file that cannot be read at all."""
    known = {tuple(name.split(".")): setting for name, (_, setting) in declared().items()}
    for key, value in _flatten(_parse_toml(path)):
        setting = known.get(key) or _in_named_table(key)
        if setting is None:
            error = errors.unknown_key(key, path, [*declared(), *_names_beside(key)])
            yield Entry(key, ".".join(key), None, error)
        elif setting.files == "none" or (setting.files == "own" and path != own_path):
            yield Entry(key, setting.name, None, errors.not_allowed(setting, path, own_path))
        else:
            yield _checked(key, setting, value, f"set in `{errors.printed_path(path)}`")


def _in_named_table(key: tuple[str, ...]) -> Setting | None:
    named = NAMED_TABLES.get(key[0])
    if named is None or len(key) != 3 or not named.names.fullmatch(key[1]) or key[2] not in named.keys:
        return None
    return msgspec.structs.replace(in_named_tables()[key[0], key[2]], name=".".join(key))


def _names_beside(key: tuple[str, ...]) -> list[str]:
    """What else could stand in the named table that holds ``key``."""
    named = NAMED_TABLES.get(key[0])
    if named is None or len(key) != 3 or not named.names.fullmatch(key[1]):
        return []
    return [f"{key[0]}.{key[1]}.{other}" for other in named.keys]


def _flatten(table: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    """The file's values by their whole key: a tuple, as a quoted ``"claude.path"`` is another key."""
    for name, value in table.items():
        if name in NAMED_TABLES and isinstance(value, dict):
            yield from _flatten_named(name, value)
        elif isinstance(value, dict) and value:
            # No setting lies deeper. Going on would let a hostile file of nested tables exhaust the stack.
            yield from (((name, inner), item) for inner, item in value.items())
        elif value != {} or not any(other.startswith(f"{name}.") for other in declared()):
            yield (name,), value


def _flatten_named(first: str, tables: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, table in tables.items():
        if isinstance(table, dict) and table:
            yield from (((first, name, key), item) for key, item in table.items())
        else:
            yield (first, name), table


def _parse_toml(path: Path) -> Mapping[str, object]:
    text = read_text(path)
    try:
        return _parsed(text)
    except RecursionError:
        raise errors.bad_file(path, "the values are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and ValueError itself for a number of thousands of digits
        reason, position = _toml_position(str(error), text)
        raise errors.bad_file(path, reason, position) from None


@lru_cache(maxsize=2)
def _parsed(text: str) -> Mapping[str, object]:
    """What a text holds, for reading only: the same object is given to all who ask. A run asks eight times, of two files."""
    import tomllib  # noqa: PLC0415 - where there is no settings file, nothing has to be parsed

    if _TOO_DOTTED.search(text):
        raise ValueError("a key has too many parts")
    return tomllib.loads(text)


def read_text(path: Path) -> str:
    """The text of a settings file. Raises ``UsageError`` when it cannot be read, is too large or no text."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise errors.bad_file(path, f"it cannot be read: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise errors.bad_file(path, f"it is larger than {_MAX_FILE_BYTES} bytes")
    try:
        # Some Windows editors begin a file with a byte order mark, which TOML does not know.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        raise errors.bad_file(path, "it is not UTF-8", _end_of(before)) from None


def _toml_position(message: str, text: str) -> tuple[str, str]:
    """The parser's reason and ``:line:column``, which it gives as words only before Python 3.14."""
    reason, _, position = message.rpartition(" (at ")
    if not reason:
        return message, ""
    numbers = re.findall(r"\d+", position)
    return reason, f":{numbers[0]}:{numbers[1]}" if len(numbers) == 2 else _end_of(text)


def _end_of(text: str) -> str:
    lines = text.split("\n")
    return f":{len(lines)}:{len(lines[-1]) + 1}"


def _checked(key: tuple[str, ...], setting: Setting, value: object, source: str) -> Entry:
    try:
        return Entry(key, setting.name, setting.check.parse(value))
    except ValueError as error:
        part = error if isinstance(error, PartError) else None
        return Entry(key, setting.name, None, errors.bad_value(setting, value, source, part))
