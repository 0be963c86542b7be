"""A file that holds one API key and nothing else, readable by its owner only."""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.keys import MAX_KEY_LENGTH
from oneseat.host.paths import create_folder

_PRIVATE = 0o600
#: What a link leads to may be anybody's.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
#: A shorter word is a version, a name or a date.
_SHORTEST_KEY = 8


def read_key_file(name: str, path: str) -> str | None:
    """The key in the file; ``None`` when the file is missing or empty.

    Raises ``OneseatError``: ``provider.key_file_open`` when other users could have read or changed it, and
    ``provider.key_file_unusable`` when it is not a readable file with one key.
    """
    try:
        # Non-blocking: opening a named pipe would otherwise wait for ever.
        descriptor = os.open(_expanded(path), os.O_RDONLY | _NO_LINKS | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ELOOP:
            raise _unusable(name, path, "it is a link, which somebody else may have made") from None
        raise _unusable(name, path, f"it cannot be read: {_reason(error)}") from None
    try:
        # Of the opened file: another one may be at the path by now.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(name, path, "it is not a file")
        _refuse_shared(name, path, status)
        data = os.read(descriptor, MAX_KEY_LENGTH + 3)
    finally:
        os.close(descriptor)
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _unusable(name, path, "it is not text") from None
    if len(text) > MAX_KEY_LENGTH or len(text.split()) > 1:
        raise _unusable(name, path, "it holds more than one key")
    return text or None


def write_key_file(name: str, path: str, value: str) -> None:
    """Write the key to the file, replacing the one in it. Raises ``OneseatError`` as ``read_key_file`` does.

    The old file is deleted and the new one is created exclusively: whoever had the old one open, or puts another one in its
    place meanwhile, does not get the key. A temporary file that a crash leaves behind would be a second copy of it.
    """
    target = _expanded(path)
    _refuse_other_content(name, path)
    try:
        create_folder(target.parent)
        target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(value.encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
    except (OSError, ValueError) as error:
        raise _unusable(name, path, f"it cannot be written: {_reason(error)}") from None


def remove_key_file(name: str, path: str) -> bool:
    """Delete the file after the same checks; returns whether there was one. Raises ``OneseatError`` as ``read_key_file`` does."""
    if not os.path.lexists(_expanded(path)):
        return False
    _refuse_other_content(name, path)
    try:
        _expanded(path).unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(name, path, f"it cannot be deleted: {_reason(error)}") from None
    return True


def _refuse_other_content(name: str, path: str) -> None:
    """Raise for a file that holds no key, such as `.python-version`: it was named by mistake, and must stay as it is."""
    found = read_key_file(name, path)
    if found is not None and len(found) < _SHORTEST_KEY:
        raise _unusable(name, path, "it holds something that is too short for a key")


def _expanded(path: str) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where there is no home


def _reason(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def _refuse_shared(name: str, path: str, status: os.stat_result) -> None:
    if sys.platform == "win32":  # has neither mode bits nor owners
        return
    if status.st_uid != os.geteuid():
        raise _not_private(
            name, path, "it belongs to another user", f"See whose it is: `ls -l {_quoted(path)}`"
        )
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        close = (
            f"Make it private, and replace the key if others use this machine: `chmod 600 {_quoted(path)}`"
        )
        raise _not_private(name, path, f"its mode is {mode:o}: other users can read it", close)


def _quoted(path: str) -> str:
    # A shell expands a tilde only where it is not quoted.
    return "~/" + shlex.quote(path[2:]) if path.startswith("~/") else shlex.quote(path)


def _not_private(name: str, path: str, why: str, hint: str) -> OneseatError:
    return OneseatError(
        ErrorInfo(
            code="provider.key_file_open",
            message=f"The key file is not private: `{path}`\n  set in `keys.{name}.file`; {why}",
            hint=hint,
        )
    )


def _unusable(name: str, path: str, why: str) -> OneseatError:
    return OneseatError(
        ErrorInfo(
            code="provider.key_file_unusable",
            message=f"The key file cannot be used: `{path}`\n  set in `keys.{name}.file`; {why}",
        )
    )
