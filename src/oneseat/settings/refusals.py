"""What is said when a setting is wrong. Every function here makes or raises a ``UsageError``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, UsageError

from .table import Setting
from .wording import printable, shown, toml, without_credentials

#: Comparing takes time by the square; a hostile file's key of a million letters is no slip of the pen.
_LONGEST_MISSPELT = 64


def place(path: Path) -> str:
    """A path for a message, whole: it is there to be opened."""
    return printable(str(path))


def bad_value(setting: Setting, value: object, source: str) -> UsageError:
    """A value that does not fit. ``source`` says where it was found."""
    check = setting.check
    seen = toml(without_credentials(value) if check.secretive else value)
    from_environment = setting.env is not None and f"`{setting.env}`" in source
    return UsageError(
        ErrorInfo(
            code=check.code,
            message=f"Setting cannot be used: `{setting.name} = {seen}`\n"
            f"  {source}; expected {check.expected}",
            hint=check.hint or (f"Take it back: `unset {setting.env}`" if from_environment else None),
        )
    )


def unknown_key(name: str, path: Path, names: list[str]) -> UsageError:
    """A key that no setting has."""
    nearest = _nearest(name, names)
    return UsageError(
        ErrorInfo(
            code="usage.unknown_setting",
            message=f"Unknown setting: `{shown(name)}`\n  set in `{place(path)}`",
            hint=f"Write `{nearest}` instead" if nearest else None,
        )
    )


def check_spelling(name: str, variables: list[str]) -> None:
    """Raise when a variable is not one of ours but looks so much like one that it was meant to be."""
    nearest = _nearest(name, variables)
    if nearest is not None:
        raise UsageError(
            ErrorInfo(
                code="usage.unknown_setting",
                message=f"Unknown environment variable: `{shown(name)}`\n  oneseat reads `{nearest}`",
                hint=f"Take it back: `unset {shown(name)}`",
            )
        )


def not_allowed(setting: Setting, path: Path, own_path: Path) -> UsageError:
    """A setting in a file that may not hold it."""
    if setting.files == "none":
        why = "the settings files are found through it"
        hint = f"Set the variable: `export {setting.env}=/path/to/a/folder`"
    else:
        why = "a project from somebody else could then choose what runs here and where prompts go"
        hint = f"Set it in your own file: `{place(own_path)}`"
    return UsageError(
        ErrorInfo(
            code="usage.setting_not_allowed",
            message=f"Setting not allowed in this file: `{setting.name}`\n  set in `{place(path)}`; {why}",
            hint=hint,
        )
    )


def check_project(name: str, table: Mapping[str, object], path: Path) -> None:
    """Raise when a project's table is not one: without a directory, or with instructions in two places."""
    if "directory" not in table:
        why, hint = "it has no `directory`", f'Give it one: `directory = "~/{name}"`'
    elif "system" in table and "system_file" in table:
        why, hint = "it has both `system` and `system_file`", "Keep one of them"
    else:
        return
    raise UsageError(
        ErrorInfo(
            code="usage.bad_setting",
            message=f"Project cannot be used: `projects.{name}`\n  set in `{place(path)}`; {why}",
            hint=hint,
        )
    )


def bad_file(path: Path, reason: str, position: str = "") -> UsageError:
    """A file that cannot be read at all. ``position`` is ``:line:column`` when it is known."""
    why = reason[:1].lower() + reason[1:]
    message = f"Settings file cannot be used: `{place(path)}{position}`\n  {why}"
    return UsageError(ErrorInfo(code="usage.bad_settings_file", message=message))


def _nearest(name: str, names: list[str]) -> str | None:
    """The name that a third of the letters or fewer would turn into ``name``."""
    # The common beginning would make any two variables look alike.
    plain = name.removeprefix("ONESEAT_")
    if len(plain) > _LONGEST_MISSPELT:
        return None
    distances = {other: _distance(plain, other.removeprefix("ONESEAT_")) for other in names}
    nearest = min(names, key=lambda other: distances[other])
    return nearest if 3 * distances[nearest] <= len(plain) else None


def _distance(one: str, other: str) -> int:
    """How many letters to add, drop or replace to make one word of the other."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted)))
    return row[-1]
