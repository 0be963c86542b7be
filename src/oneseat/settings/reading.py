"""Loads settings from every source and refuses invalid ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import errors
from .entries import (
    FILE_NAME,
    argument_entries,
    environment_entries,
    file_entries,
    find_project_file,
    own_file,
    rows_of,
    values_of,
)
from .table import Settings, declared
from .tables import NamedTable, Row


def home_from(env: Mapping[str, str], arguments: Mapping[str, object] | None = None) -> str | None:
    """The home that an argument or the environment names; needed before any settings file can be found."""
    _, setting = declared()["home"]
    given = {name: value for name, value in (arguments or {}).items() if name == setting.name}
    set_in = {name: value for name, value in env.items() if name == setting.env}
    home = {**values_of(environment_entries(set_in)), **values_of(argument_entries(given))}.get(setting.name)
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
    project_path = find_project_file(cwd, own_path)
    values = {
        **(values_of(file_entries(own_path, own_path)) if own_file(config_dir) else {}),
        **(values_of(file_entries(project_path, own_path)) if project_path else {}),
        **values_of(environment_entries(env)),
        **values_of(argument_entries(arguments or {})),
    }
    filled: dict[str, Any] = {
        declared()[name][0]: value for name, value in values.items() if name in declared()
    }
    return Settings(**filled)


def read_named(named: NamedTable[Row], config_dir: Path) -> dict[str, Row]:
    """The rows of one kind of named table in the owner's settings file, by name. Raises like ``load``."""
    own_path = config_dir / FILE_NAME
    values = values_of(file_entries(own_path, own_path)) if own_file(config_dir) else {}
    rows = rows_of(named.table, values)
    for name, row in rows.items():
        found = named.contradiction(name, row)
        if found is not None:
            raise errors.contradictory_table(named, name, found, own_path)
    return {name: named.make(name=name, **row) for name, row in rows.items()}
