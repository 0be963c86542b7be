"""Reads and writes the settings file: atomically, and private to its owner."""

from __future__ import annotations

import stat
from pathlib import Path

from oneseat._util.atomic import replace_file
from oneseat._util.files import read_regular
from oneseat.contract.errors import ErrorInfo, UsageError

_PRIVATE = 0o600


def read_settings_text(path: Path) -> str:
    """The file's exact text, with byte order mark and line ends; empty when it is missing. Raises ``UsageError``."""
    try:
        return read_regular(path).decode("utf-8")
    except FileNotFoundError:
        if path.is_symlink():
            raise _unwritable(path, "It is a link to a file that is not there") from None
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unwritable(path, getattr(error, "strerror", None) or "it is not UTF-8") from None


def write_settings_text(path: Path, text: str) -> None:
    """Replace the file by ``text``, keeping its mode; a new file gets 0600. Raises ``UsageError``.

    A symbolic link is followed, so that settings stored elsewhere stay there. The folder must exist.
    """
    # Settings that cannot be read are not replaced: a run refuses them, and they may hold budgets.
    read_settings_text(path)
    try:
        # Renaming onto the link itself would replace the link by a file.
        target = path.resolve()
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else _PRIVATE
        replace_file(target, text.encode("utf-8"), mode=mode, durable=True)
    except OSError as error:
        raise _unwritable(path, error.strerror or type(error).__name__) from None


def keep_copy(path: Path, ending: str) -> Path:
    """Copy the file, with mode 0600, beside itself; ``ending`` is added to its name. Raises ``UsageError``."""
    copy, number = path.with_name(path.name + ending), 1
    while copy.exists():
        # Two set-ups within one second: never overwrite the first copy, the only one of those settings.
        number += 1
        copy = path.with_name(f"{path.name}{ending}-{number}")
    try:
        replace_file(copy, read_settings_text(path).encode("utf-8"), durable=True)
    except OSError as error:
        raise _unwritable(copy, error.strerror or type(error).__name__) from None
    return copy


def _unwritable(path: Path, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_settings_file",
            message=f"Settings file cannot be changed: `{path}`\n  {why[:1].lower()}{why[1:]}",
            hint="See what is wrong with the folders: `oneseat doctor`",
        )
    )
