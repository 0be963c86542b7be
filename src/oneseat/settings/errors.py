"""The errors of invalid settings, with the nearest valid name as a hint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from oneseat.contract.errors import ErrorInfo, UsageError

from .checks import Check, PartError
from .formatting import printable, shown, toml, without_credentials
from .table import NAMED_TABLES, Setting
from .tables import PLAIN_NAME, Contradiction, NamedTable

#: Comparing takes quadratic time, and a key this long is not a misspelling.
_LONGEST_MISSPELT = 64


def printed_path(path: Path) -> str:
    """A path for a message, never shortened, so that it can be opened."""
    return printable(str(path))


def bad_value(setting: Setting, value: object, source: str, part: PartError | None = None) -> UsageError:
    """An invalid value. ``source`` says where it was found, ``part`` which part is wrong, when known."""
    check = setting.check
    seen = "…" if check.hidden else toml(without_credentials(value) if check.secretive else value)
    from_environment = setting.env is not None and f"`{setting.env}`" in source
    return UsageError(
        ErrorInfo(
            code=check.code,
            message=f"Setting cannot be used: `{setting.name} = {seen}`\n"
            f"  {source}; {f'{printable(str(part))}; ' if part else ''}expected {check.expected}",
            hint=check.hint
            or (f"Unset it: `unset {setting.env}`" if from_environment else _nearest_option(value, check)),
        )
    )


def _nearest_option(value: object, check: Check) -> str | None:
    nearest = nearest_name(value, list(check.options)) if isinstance(value, str) and check.options else None
    return f'Write `"{nearest}"` instead' if nearest else None


def unknown_key(key: tuple[str, ...], path: Path, names: list[str]) -> UsageError:
    """An unknown key."""
    name = ".".join(key)
    return UsageError(
        ErrorInfo(
            code="usage.unknown_setting",
            message=f"Unknown setting: `{shown(name)}`\n  set in `{printed_path(path)}`",
            hint=_way_to_known(key, nearest_name(name, names)),
        )
    )


def _way_to_known(key: tuple[str, ...], nearest: str | None) -> str | None:
    named = NAMED_TABLES.get(key[0])
    if named is not None and key[-1] in named.misplaced:
        return named.misplaced[key[-1]]
    if nearest is None and named is None and len(key) > 1:
        table = nearest_name(key[0], list(NAMED_TABLES))
        nearest = f"[{table}.{key[1]}]" if table is not None and PLAIN_NAME.fullmatch(key[1]) else None
    return f"Write `{nearest}` instead" if nearest else None


def misspelt_variable(name: str, variables: list[str]) -> UsageError | None:
    """The error for a variable that is probably a misspelt one of ``variables``; ``None`` when it is not."""
    nearest = nearest_name(name, variables)
    if nearest is None:
        return None
    return UsageError(
        ErrorInfo(
            code="usage.unknown_setting",
            message=f"Unknown environment variable: `{shown(name)}`\n  oneseat reads `{nearest}`",
            hint=f"Unset it: `unset {shown(name)}`",
        )
    )


def not_allowed(setting: Setting, path: Path, own_path: Path) -> UsageError:
    """A setting in a file that may not set it."""
    if setting.files == "none":
        why = "the settings files are found through it"
        hint = f"Set the variable: `export {setting.env}=/path/to/a/folder`"
    else:
        why = "otherwise another person's project could choose what runs here and where prompts go"
        hint = f"Set it in your own file: `{printed_path(own_path)}`"
    return UsageError(
        ErrorInfo(
            code="usage.setting_not_allowed",
            message=f"Setting not allowed in this file: `{setting.name}`\n  set in `{printed_path(path)}`; {why}",
            hint=hint,
        )
    )


def contradictory_table(named: NamedTable[Any], name: str, found: Contradiction, path: Path) -> UsageError:
    """A named table whose values contradict each other."""
    return conflict(named.noun, f"{named.table}.{name}", found, path)


def conflict(what: str, name: str, found: Contradiction, path: Path) -> UsageError:
    """Valid values that contradict each other; ``what`` and ``name`` say where."""
    return UsageError(
        ErrorInfo(
            code="usage.bad_setting",
            message=f"{what} cannot be used: `{shown(name)}`\n  set in `{printed_path(path)}`; {found.why}",
            hint=found.hint,
        )
    )


def bad_file(path: Path, reason: str, position: str = "") -> UsageError:
    """A file that cannot be read or parsed. ``position`` is ``:line:column`` when known."""
    why = reason[:1].lower() + reason[1:]
    message = f"Settings file cannot be used: `{printed_path(path)}{position}`\n  {why}"
    hint = "Correct it, then check again: `oneseat config check`"
    return UsageError(ErrorInfo(code="usage.bad_settings_file", message=message, hint=hint))


def position_of(info: ErrorInfo) -> tuple[int, int] | None:
    """The line and column in an error of ``bad_file``."""
    found = re.match(r"[^\n]*:([0-9]+):([0-9]+)`(?:\n|$)", info.message)
    return (int(found[1]), int(found[2])) if found else None


def nearest_name(name: str, names: list[str]) -> str | None:
    """The one of ``names`` that starts with ``name`` as a whole word, or is at most a third of its letters different."""
    # The common prefix would make any two variables similar.
    plain = name.removeprefix("ONESEAT_")
    if len(plain) > _LONGEST_MISSPELT:
        return None
    longer = [other for other in names if other.startswith(f"{name}-")]
    if len(longer) == 1:
        return longer[0]
    distances = {other: _distance(plain, other.removeprefix("ONESEAT_")) for other in names}
    nearest = min(names, key=lambda other: distances[other])
    return nearest if 3 * distances[nearest] <= len(plain) else None


def _distance(one: str, other: str) -> int:
    """The edit distance of two words, counting a swap of neighbours as one."""
    row = list(range(len(other) + 1))
    above = row
    for i, letter in enumerate(one, 1):
        before, above, row = above, row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], wanted):
                row[j] = min(row[j], before[j - 2] + 1)
    return row[-1]
