"""Writing the owner's settings file: all of it or nothing, for the owner only, and never through somebody else's link."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, UsageError

_PRIVATE = 0o600


def read_settings_text(path: Path) -> str:
    """The file as it is, byte order mark and line ends too; empty without one. Raises ``UsageError``."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unwritable(path, getattr(error, "strerror", None) or "it is not UTF-8") from None


def write_settings_text(path: Path, text: str) -> None:
    """Put ``text`` in place of the file, which keeps its mode; a new one is the owner's only. Raises ``UsageError``.

    A link is followed, so that settings kept elsewhere stay there. The folder has to exist.
    """
    try:
        # Where the link leads: renaming onto the link itself would turn it into a file.
        target = path.resolve()
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else _PRIVATE
        _replace(target, text, mode)
    except OSError as error:
        raise _unwritable(path, error.strerror or type(error).__name__) from None


def keep_copy(path: Path, ending: str) -> Path:
    """Copy the file, for the owner only, beside it; ``ending`` is added to its name. Raises ``UsageError``."""
    copy, number = path.with_name(path.name + ending), 1
    while copy.exists():
        # Two set-ups within one second: the first one's copy is the only place where those settings still are.
        number += 1
        copy = path.with_name(f"{path.name}{ending}-{number}")
    try:
        _replace(copy, read_settings_text(path), _PRIVATE)
    except OSError as error:
        raise _unwritable(copy, error.strerror or type(error).__name__) from None
    return copy


def _replace(target: Path, text: str, mode: int) -> None:
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            # A power cut after the renaming must not leave an empty file under the right name.
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:  # Ctrl-C too: nothing half-written is left beside the settings
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _unwritable(path: Path, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_settings_file",
            message=f"Settings file cannot be changed: `{path}`\n  {why[:1].lower()}{why[1:]}",
            hint="See what is wrong with the folders: `oneseat doctor`",
        )
    )
