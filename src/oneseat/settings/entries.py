"""Reads the sources of settings into entries: each value with its error, if any."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from oneseat._util.files import read_regular
from oneseat.contract.errors import UsageError
from oneseat.contract.ownership import refuse_strangers

from . import errors
from .checks import PartError
from .table import NAMED_TABLES, Setting, declared, in_named_tables

#: The name of a settings file, both in a project and in the owner's configuration folder.
FILE_NAME = "oneseat.toml"
#: A settings file is a page or two; a larger one is a mistake or an attack.
_MAX_FILE_BYTES = 65_536
#: The parser needs quadratic time for a dotted key: twenty seconds for one of 64 kB. No setting has more than three parts.
#: The pattern starts at the beginning of a part only and never backtracks.
_KEY_PART = r"""(?:(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++|(?<!\\)"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_TOO_DOTTED = re.compile(rf"{_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{32}}")


class Entry(msgspec.Struct, frozen=True):
    """One value of one source: its full key, the setting's dotted name, and the checked value or the error."""

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
            # A row's name may contain dots, a key's name does not.
            row, _, key = name.removeprefix(f"{table}.").rpartition(".")
            rows.setdefault(row, {})[key] = value
    return rows


def find_project_file(cwd: Path, own_path: Path) -> Path | None:
    """The settings file of the project around ``cwd``. ``own_path`` is the owner's file, which never counts as a project's."""
    for folder in (cwd, *cwd.parents):
        candidate = folder / FILE_NAME
        # Of a folder with that name nobody expects settings; a pipe or a dangling link is refused when it is read.
        if _is_there(candidate) and not os.path.isdir(candidate):  # noqa: PTH112 - pathlib raises for some of them
            # Inside the configuration folder, the file is the owner's and not a project's.
            return None if _same(candidate, own_path) else candidate
        if _exists(folder / ".git"):
            return None
    return None


def own_file(config_dir: Path) -> Path | None:
    """The owner's settings file; ``None`` where there is none.

    Anything in its place counts, readable or not, and so does a folder that cannot be entered: taken as "no settings", a
    dangling link would lift every budget. A plain file in place of a folder holds no settings; ``Paths.ensure`` refuses it.
    """
    path = config_dir / FILE_NAME
    for place in (path, *path.parents):
        try:
            place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return path
        return path if place == path or (place.is_symlink() and not os.path.isdir(place)) else None  # noqa: PTH112 - as above
    return None


def _is_there(path: Path) -> bool:
    """Whether anything that can be seen is at ``path``, a dangling link too."""
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _same(path: Path, other: Path) -> bool:
    try:
        return path == other or path.samefile(other)
    except OSError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def argument_entries(arguments: Mapping[str, object]) -> Iterator[Entry]:
    """Entries of arguments by dotted name; ``None`` means not given."""
    for name, value in arguments.items():
        if value is not None:
            yield _checked((name,), declared()[name][1], value, "given as an argument")


def environment_entries(env: Mapping[str, str]) -> Iterator[Entry]:
    """Entries of environment variables, and errors for misspelt ones."""
    variables = {setting.env: setting for _, setting in declared().values() if setting.env}
    for name, value in env.items():
        if name in variables:
            yield _checked((name,), variables[name], value, f"set by the environment variable `{name}`")
        elif name.startswith("ONESEAT_"):
            # If `ONESEAT_SIMULATOR_ULR` were ignored, a run meant for the simulator would use the real plan.
            error = errors.misspelt_variable(name, list(variables))
            if error is not None:
                yield Entry((name,), name, None, error)


def file_entries(path: Path, own_path: Path) -> Iterator[Entry]:
    """Entries of a settings file; ``own_path`` is the owner's. Raises ``UsageError`` for a file that cannot be read or parsed."""
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
    """The valid keys of the named table that contains ``key``."""
    named = NAMED_TABLES.get(key[0])
    if named is None or len(key) != 3 or not named.names.fullmatch(key[1]):
        return []
    return [f"{key[0]}.{key[1]}.{other}" for other in named.keys]


def _flatten(table: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    """The file's values by full key; a tuple, because a quoted ``"claude.path"`` is a different key."""
    for name, value in table.items():
        if name in NAMED_TABLES and isinstance(value, dict):
            yield from _flatten_named(name, value)
        elif isinstance(value, dict) and value:
            # No setting is nested deeper. Recursing would let a hostile file exhaust the stack.
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
    except ValueError as error:  # TOMLDecodeError, and ValueError for an integer with thousands of digits
        reason, position = _toml_position(str(error), text)
        raise errors.bad_file(path, reason, position) from None


@lru_cache(maxsize=2)
def _parsed(text: str) -> Mapping[str, object]:
    """The parsed text, cached: do not modify it. A run reads two files eight times."""
    import tomllib  # noqa: PLC0415 - without a settings file it is not needed

    if _TOO_DOTTED.search(text):
        raise ValueError("a key has too many parts")
    return tomllib.loads(text)


def read_text(path: Path) -> str:
    """The text of a settings file. Raises ``UsageError`` when it is another user's, unreadable, too large or not text."""
    refuse_strangers(path)
    try:
        data = read_regular(path, _MAX_FILE_BYTES + 1)
    except OSError as error:
        why = "it is a link to a file that is not there" if path.is_symlink() and not _exists(path) else None
        raise errors.bad_file(path, why or f"it cannot be read: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise errors.bad_file(path, f"it is larger than {_MAX_FILE_BYTES} bytes")
    try:
        # Some Windows editors write a byte order mark, which TOML does not allow.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        raise errors.bad_file(path, "it is not UTF-8", _end_of(before)) from None


def _toml_position(message: str, text: str) -> tuple[str, str]:
    """The parser's reason and ``:line:column``; before Python 3.14 the position is only in the message."""
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
