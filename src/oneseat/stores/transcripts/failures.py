"""Maps every failure of the index to a ``UsageError``."""

from __future__ import annotations

import errno
import shlex
import sys
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, UsageError, WhoseTurn
from oneseat.stores.files import printable

from .schema import UnusableIndexError
from .sqlite import sqlite3

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def translated(path: str, error: UnusableIndexError | sqlite3.Error | OSError) -> UsageError:
    """The error that a failure of the index at ``path`` is to a user, with what to do about it."""
    if isinstance(error, UnusableIndexError):
        return _unusable(path, error)
    return _of_sqlite(path, error) if isinstance(error, sqlite3.Error) else _of_system(path, error)


def _unusable(path: str, error: UnusableIndexError) -> UsageError:
    if not error.newer:
        return _damaged(path, str(error))
    return _error(
        "usage.index_newer",
        f"The usage index was written by a newer oneseat: `{printable(path)}`\n  {error}",
        "Upgrade oneseat: `pip install --upgrade oneseat`",
    )


def _of_sqlite(path: str, error: sqlite3.Error) -> UsageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return _damaged(path, f"SQLite says: {error}")
    if code in _BUSY:
        lister = None if sys.platform == "win32" else f"See which process holds it: `lsof {_quoted(path)}`"
        words = f"The usage index is locked by another process: `{printable(path)}`\n  it was not released in time"
        return _error("usage.index_busy", words, lister)
    if code == sqlite3.SQLITE_FULL:
        return _full(path, str(error))
    return _unwritable(path, str(error))


def _of_system(path: str, error: OSError) -> UsageError:
    reason = error.strerror or type(error).__name__
    return _full(path, reason) if error.errno in _FULL else _unwritable(path, reason)


def _damaged(path: str, reason: str) -> UsageError:
    aside = f"{path}.damaged"
    move = "move" if sys.platform == "win32" else "mv"
    return _error(
        "usage.index_corrupt",
        f"The usage index cannot be read: `{printable(path)}`\n  {reason}; it was left unchanged",
        f"Move it aside; the next `oneseat usage` rebuilds it from the remaining transcripts: "
        f"`{move} {_quoted(path)} {_quoted(aside)}`",
    )


def _full(path: str, reason: str) -> UsageError:
    folder = _quoted(str(Path(path).parent))
    words = f"No space left for the usage index: `{printable(path)}`\n  {reason}"
    return _error("usage.home_full", words, f"See what fills the disk: `df -h {folder}`")


def _unwritable(path: str, reason: str) -> UsageError:
    words = f"The usage index cannot be written: `{printable(path)}`\n  {reason}"
    return _error("usage.home_unwritable", words, "See what is wrong with the folders: `oneseat doctor`")


def _error(code: str, message: str, hint: str | None) -> UsageError:
    turn: WhoseTurn = "wait" if code == "usage.index_busy" else "you"
    return UsageError(ErrorInfo(code=code, message=message, hint=hint, whose_turn=turn))


def _quoted(path: str) -> str:
    return shlex.quote(printable(path))
