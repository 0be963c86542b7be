"""The owner's settings: what is wrong in them, what is in force, and the projects and clients they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.reports.settings import SettingInForce, SettingsCheck, SettingsFinding, SettingsList
from oneseat.contract.reports.setup import SettingsPath
from oneseat.host import settings_file
from oneseat.installation import Installation
from oneseat.settings import CLIENTS, PROJECTS, Client, Project
from oneseat.settings.checking import InForce, inspect
from oneseat.settings.entries import find_project_file, read_text
from oneseat.settings.formatting import toml
from oneseat.settings.positions import position, positions

if TYPE_CHECKING:
    from .foresight import Need


__all__ = [
    "Client",
    "Project",
    "broken_settings",
    "check_settings",
    "clients",
    "find_client",
    "find_project",
    "list_settings",
    "projects",
    "settings_path",
    "toml",
]

_Row = TypeVar("_Row")


def check_settings(here: Installation) -> SettingsCheck:
    """Everything that is wrong, in the settings and in what they name.

    Raises ``UsageError`` only where oneseat's own folder cannot be named.
    """
    seen = inspect(here.env, here.cwd, here.paths.config_dir)
    findings = [_finding(each.error, each.file, each.line, each.column) for each in seen.findings]
    if not findings:
        from .foresight import unmet_needs  # noqa: PLC0415 - loads what makes runs, which a look at one project does without

        findings = [_placed(need, seen.settings) for need in unmet_needs(here)]
    return SettingsCheck(files=seen.files, findings=tuple(findings))


def broken_settings(here: Installation) -> int:
    """How many errors keep every run from starting. Raises like ``check_settings``."""
    return len(inspect(here.env, here.cwd, here.paths.config_dir).findings)


def _placed(need: Need, settings: Iterable[InForce]) -> SettingsFinding:
    """The finding of something that a setting names in vain, at the line of that setting."""
    name = ".".join(need.key)
    sources = (each.source for each in settings if each.name == name or each.name.startswith(f"{name}."))
    source = next(sources, None)
    if source is None or not Path(source).is_file():
        return _finding(need.error, None, None, None)
    line, column = position(need.key, positions(read_text(Path(source)))) or (None, None)
    return _finding(need.error, source, line, column)


def _finding(error: ErrorInfo, file: str | None, line: int | None, column: int | None) -> SettingsFinding:
    return SettingsFinding(
        file=file, line=line, column=column, code=error.code, message=error.message, hint=error.hint
    )


def list_settings(here: Installation) -> SettingsList:
    """Everything in force. Raises like ``check_settings``."""
    seen = inspect(here.env, here.cwd, here.paths.config_dir)
    settings = [
        SettingInForce(name=each.name, value=each.value, source=each.source) for each in seen.settings
    ]
    return SettingsList(files=seen.files, settings=tuple(settings))


def find_project(here: Installation, name: str) -> Project:
    """A project of the owner's settings. Raises ``UsageError`` ``usage.unknown_project``, and those of the settings."""
    rows = here.named(PROJECTS)
    return _found(name, rows, kind="project", code="usage.unknown_project", least='directory = "~/NAME"')


def find_client(here: Installation, name: str) -> Client:
    """A client of the owner's settings. Raises ``UsageError`` ``usage.unknown_client``, and those of the settings."""
    rows = here.named(CLIENTS)
    return _found(name, rows, kind="client", code="usage.unknown_client", least='work_of = "client"')


def projects(here: Installation) -> list[Project]:
    """The projects of the owner's settings. Raises ``UsageError`` for settings that are wrong."""
    return list(here.named(PROJECTS).values())


def clients(here: Installation) -> list[Client]:
    """The clients of the owner's settings. Raises like ``projects``."""
    return list(here.named(CLIENTS).values())


def settings_path(here: Installation) -> SettingsPath:
    """Where the settings of this directory are. Raises ``UsageError`` only where oneseat's own folder cannot be named."""
    file = here.settings_file
    project = find_project_file(here.cwd, file)
    return SettingsPath(
        file=str(file), exists=file.exists(), project=None if project is None else str(project)
    )


def settings_text(here: Installation) -> str:
    """The owner's settings file as it is now; empty without one. Raises ``UsageError`` when it cannot be read."""
    return settings_file.read_settings_text(here.settings_file)


def write_settings(here: Installation, text: str) -> None:
    """Replace the owner's settings file. Raises ``UsageError`` when it cannot be written."""
    here.paths.ensure()
    settings_file.write_settings_text(here.settings_file, text)


def copy_settings(here: Installation, ending: str) -> Path:
    """Copy the owner's settings file beside itself. Raises ``UsageError`` when that cannot be done."""
    return settings_file.keep_copy(here.settings_file, ending)


def _found(name: str, rows: Mapping[str, _Row], *, kind: str, code: str, least: str) -> _Row:
    """The row of a name; ``least`` is what a new one needs."""
    if name in rows:
        return rows[name]
    near = get_close_matches(name, rows, n=1)
    there = ", ".join(sorted(rows)) or "none"
    raise UsageError(
        ErrorInfo(
            code=code,
            message=f"Unknown {kind}: `{name}`\n  {kind}s in your oneseat.toml: {there}",
            hint=f"Did you mean this: `--{kind} {near[0]}`"
            if near
            else f"Add it to your oneseat.toml: `[{kind}s.NAME]` with `{least}`",
        )
    )
