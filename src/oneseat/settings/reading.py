"""Find the settings files, read every source, and refuse what does not belong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from . import refusals
from .named_tables import NamedTable, Row
from .table import NAMED_TABLES, Setting, Settings, declared, in_named_tables

#: The name of a settings file, in a project as in the owner's configuration folder.
FILE_NAME = "oneseat.toml"
#: A settings file is a page or two, with a table for each project, key and role. A larger one is a mistake or an attack.
_MAX_FILE_BYTES = 65_536
#: A dotted key of 64 kB takes the parser twenty seconds, and half as long a key a quarter of that. No setting has more than
#: three parts. One look at the whole text, which begins at the start of a part only and never goes back.
_KEY_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|(?<!\\)"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_TOO_DOTTED = re.compile(rf"{_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{32}}")


def home_from(env: Mapping[str, str], arguments: Mapping[str, object] | None = None) -> str | None:
    """The folder that an argument or the environment names for oneseat; needed before any file is found."""
    _, setting = declared()["home"]
    given = {name: value for name, value in (arguments or {}).items() if name == setting.name}
    set_in = {name: value for name, value in env.items() if name == setting.env}
    home = {**_from_environment(set_in), **_from_arguments(given)}.get(setting.name)
    return home if isinstance(home, str) else None


def load(
    env: Mapping[str, str], cwd: Path, config_dir: Path, arguments: Mapping[str, object] | None = None
) -> Settings:
    """Read both settings files and fill ``Settings``.

    ``cwd`` is where the search for a project's file begins, ``config_dir`` holds the owner's, and
    ``arguments`` are command-line values by dotted name (``None`` means not given). Raises ``UsageError`` for
    anything that is unknown, of the wrong type, out of range, not allowed where it stands, or not readable.
    """
    own_path = config_dir / FILE_NAME
    project_path = _find_project_file(cwd, own_path)
    values = {
        **(_from_file(own_path, own_path) if _is_file(own_path) else {}),
        **(_from_file(project_path, own_path) if project_path else {}),
        **_from_environment(env),
        **_from_arguments(arguments or {}),
    }
    filled: dict[str, Any] = {
        declared()[name][0]: value for name, value in values.items() if name in declared()
    }
    return Settings(**filled)


def read_named(named: NamedTable[Row], config_dir: Path) -> dict[str, Row]:
    """The rows of one kind of named table in the owner's settings file, by name. Raises like ``load``."""
    own_path = config_dir / FILE_NAME
    tables: dict[str, dict[str, Any]] = {}
    for name, value in (_from_file(own_path, own_path) if _is_file(own_path) else {}).items():
        if name not in declared() and name.startswith(f"{named.table}."):
            # The name of a row may hold dots, the name of a key does not.
            row, _, key = name.removeprefix(f"{named.table}.").rpartition(".")
            tables.setdefault(row, {})[key] = value
    for name, table in tables.items():
        found = named.contradiction(name, table)
        if found is not None:
            raise refusals.contradictory(named, name, found, own_path)
    return {name: named.make(name=name, **table) for name, table in tables.items()}


def _find_project_file(cwd: Path, own_path: Path) -> Path | None:
    for folder in (cwd, *cwd.parents):
        candidate = folder / FILE_NAME
        if _is_file(candidate):
            # In the owner's configuration folder the file is the owner's, with the owner's rights.
            return None if _is_file(own_path) and candidate.samefile(own_path) else candidate
        if _exists(folder / ".git"):
            return None
    return None


def _is_file(path: Path) -> bool:
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


def _from_arguments(arguments: Mapping[str, object]) -> dict[str, object]:
    given = {name: value for name, value in arguments.items() if value is not None}
    return {
        name: _checked(declared()[name][1], value, "given as an argument") for name, value in given.items()
    }


def _from_environment(env: Mapping[str, str]) -> dict[str, object]:
    variables = {setting.env: setting for _, setting in declared().values() if setting.env}
    values: dict[str, object] = {}
    for name in env:
        if name in variables:
            place = f"set by the environment variable `{name}`"
            values[variables[name].name] = _checked(variables[name], env[name], place)
        elif name.startswith("ONESEAT_"):
            # `ONESEAT_SIMULATOR_ULR` would be ignored, and what it was to simulate would spend the real plan.
            refusals.check_spelling(name, list(variables))
    return values


def _from_file(path: Path, own_path: Path) -> dict[str, object]:
    known = {tuple(name.split(".")): setting for name, (_, setting) in declared().items()}
    values: dict[str, object] = {}
    for key, value in _flatten(_parse_toml(path)):
        setting = known.get(key) or _in_named_table(key)
        if setting is None:
            raise refusals.unknown_key(key, path, [*declared(), *_names_beside(key)])
        if setting.files == "none" or (setting.files == "own" and path != own_path):
            raise refusals.not_allowed(setting, path, own_path)
        values[setting.name] = _checked(setting, value, f"set in `{refusals.place(path)}`")
    return values


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


def _parse_toml(path: Path) -> dict[str, object]:
    text = _read(path)
    if _TOO_DOTTED.search(text):
        raise refusals.bad_file(path, "a key has too many parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise refusals.bad_file(path, "the values are nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and ValueError itself for a number of thousands of digits
        reason, position = _toml_position(str(error), text)
        raise refusals.bad_file(path, reason, position) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise refusals.bad_file(path, f"it cannot be read: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise refusals.bad_file(path, f"it is larger than {_MAX_FILE_BYTES} bytes")
    try:
        # Some Windows editors begin a file with a byte order mark, which TOML does not know.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        raise refusals.bad_file(path, "it is not UTF-8", _end_of(before)) from None


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


def _checked(setting: Setting, value: object, source: str) -> object:
    try:
        return setting.check.parse(value)
    except ValueError:
        raise refusals.bad_value(setting, value, source) from None
