"""Checks all settings: every error with its position, and every effective value with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError

from . import errors
from .cross_checks import find_conflicts
from .entries import (
    FILE_NAME,
    Entry,
    environment_entries,
    file_entries,
    find_project_file,
    own_file,
    read_text,
    rows_of,
)
from .formatting import without_credentials
from .positions import Key, position, positions
from .table import NAMED_TABLES, Settings, declared, in_named_tables


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One error; ``line`` and ``column`` count from 1. Without a ``file`` it is in an environment variable."""

    file: str | None
    line: int | None
    column: int | None
    error: ErrorInfo


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """One setting with its value, without credentials. ``source`` is a file, a variable or ``default``."""

    name: str
    value: Any
    source: str


class Inspected(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one directory. ``files`` are the files that were read."""

    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    settings: tuple[InForce, ...]


def inspect(env: Mapping[str, str], cwd: Path, config_dir: Path) -> Inspected:
    """Check every source of settings for ``cwd``. Returns errors in settings as findings and does not raise them."""
    own_path = config_dir / FILE_NAME
    project_path = find_project_file(cwd, own_path)
    files = [path for path in (own_file(config_dir), project_path) if path is not None]
    findings: list[Finding] = []
    found: dict[str, tuple[object, str]] = {}
    for path in files:
        reading = _File(path, own_path)
        found |= {name: (value, str(path)) for name, value in reading.values.items()}
        findings += reading.findings()
    for entry in environment_entries(env):
        if entry.error is not None:
            findings.append(Finding(file=None, line=None, column=None, error=entry.error.info))
        else:
            found[entry.name] = entry.value, f"variable {entry.key[0]}"
    return Inspected(files=tuple(map(str, files)), findings=tuple(findings), settings=tuple(_in_force(found)))


class _File:
    """One settings file, read as far as possible."""

    def __init__(self, path: Path, own_path: Path) -> None:
        self._path = path
        self._errors: list[tuple[Key, UsageError]] = []
        self._unreadable: UsageError | None = None
        self.values: dict[str, object] = {}
        try:
            entries = list(file_entries(path, own_path))
            self._places = positions(read_text(path))
        except UsageError as error:
            self._unreadable = error
            return
        self.values = {entry.name: entry.value for entry in entries if entry.error is None}
        self._errors += [(entry.key, entry.error) for entry in entries if entry.error is not None]
        self._errors += self._together(entries)

    def findings(self) -> Iterator[Finding]:
        """The errors, in the order of the file."""
        if self._unreadable is not None:
            yield self._finding(self._unreadable, errors.position_of(self._unreadable.info))
            return
        placed = [(position(key, self._places), error) for key, error in self._errors]
        for place, error in sorted(placed, key=lambda each: each[0] or (0, 0)):
            yield self._finding(error, place)

    def _finding(self, error: UsageError, place: tuple[int, int] | None) -> Finding:
        line, column = place or (None, None)
        return Finding(file=str(self._path), line=line, column=column, error=error.info)

    def _together(self, entries: list[Entry]) -> Iterator[tuple[Key, UsageError]]:
        """Contradictions within tables and between them. Tables with an invalid value are skipped: it may be the only error."""
        broken = {entry.key[:2] for entry in entries if entry.error is not None}
        tables: dict[str, dict[str, dict[str, Any]]] = {}
        for named in NAMED_TABLES.values():
            rows = rows_of(named.table, self.values)
            tables[named.table] = rows
            for name, row in rows.items():
                found = named.contradiction(name, row)
                if found is not None and (named.table, name) not in broken:
                    yield (named.table, name), errors.contradictory_table(named, name, found, self._path)
        for clash in find_conflicts(self.values, tables):
            named_table = NAMED_TABLES.get(clash.key[0])
            what = named_table.noun if named_table is not None else "Setting"
            yield clash.key, errors.conflict(what, ".".join(clash.key[:2]), clash.found, self._path)


def _in_force(found: Mapping[str, tuple[object, str]]) -> Iterator[InForce]:
    defaults = Settings()
    for name, (field, setting) in declared().items():
        value, source = found.get(name, (getattr(defaults, field), "default"))
        yield _shown(name, value, source, secretive=setting.check.secretive)
    for table in NAMED_TABLES:
        own = {name: value for name, (value, _) in found.items()}
        for row, keys in rows_of(table, own).items():
            for key, value in keys.items():
                check = in_named_tables()[table, key].check
                source = found[f"{table}.{row}.{key}"][1]
                yield _shown(f"{table}.{row}.{key}", value, source, secretive=check.secretive)


def _shown(name: str, value: object, source: str, *, secretive: bool) -> InForce:
    return InForce(name=name, value=without_credentials(value) if secretive else value, source=source)
