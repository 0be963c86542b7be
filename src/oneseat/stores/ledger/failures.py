"""Maps every failure of the ledger's file to an ``OneseatError``. SQLite's own message is never shown alone."""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, InternalError, OneseatError, UsageError, WhoseTurn
from oneseat.stores.files import printable

#: No space on the disk, in the user's quota, or within the process's largest file size.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PROBE_BYTES = 65_536


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Raise every failure of the ledger at ``path`` as an ``OneseatError`` that says what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _translated(error, path) from error
    except msgspec.DecodeError as error:
        raise corrupt(path, f"an entry is not what oneseat wrote: {error}") from error


def _translated(error: sqlite3.Error | OSError, path: Path) -> OneseatError:
    if isinstance(error, OSError):
        return _refused_by_system(error, path)
    # The low byte is the primary result code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
    make = _BY_CODE.get(code)
    if make is not None:
        return make(path, error)
    words = f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
    return InternalError(
        ErrorInfo(
            code="bug.ledger", message=f"The ledger refused what oneseat wrote: `{words}`", whose_turn="bug"
        )
    )


def corrupt(path: Path, reason: str) -> UsageError:
    """The file cannot be read as a ledger. It is not changed; the hint moves it and its write-ahead log aside."""
    return _usage(
        "usage.ledger_corrupt",
        f"The ledger cannot be read: `{_shown(path)}`\n  {reason}; it was left unchanged",
        f"Move it aside; the next run creates a new one: `{_move_aside(path)}`",
    )


def newer(path: Path, found: int, ours: int) -> UsageError:
    """The file was written by a newer oneseat."""
    return _usage(
        "usage.ledger_newer",
        f"The ledger was written by a newer oneseat: `{_shown(path)}`\n  it has schema {found}, this version knows {ours}",
        "Upgrade oneseat: `pip install --upgrade oneseat`",
    )


def gone(path: Path) -> UsageError:
    """The file was moved or deleted while a connection was open: whatever is written to it is lost."""
    return _usage(
        "usage.ledger_gone",
        f"The ledger was moved or deleted while it was in use: `{_shown(path)}`\n  what was written since is lost",
        None,
    )


def _corrupt(path: Path, error: sqlite3.Error) -> UsageError:
    return corrupt(path, f"SQLite says: {error}")


def _busy(path: Path, _: sqlite3.Error) -> UsageError:
    lister = f"See which process holds it: `lsof {shlex.quote(_shown(path))}`"
    return _usage(
        "usage.ledger_busy",
        f"The ledger is locked by another process: `{_shown(path)}`\n  it was not released in time",
        None if sys.platform == "win32" else lister,
        "wait",
    )


def _full(path: Path, error: sqlite3.Error | OSError) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return _usage(
        "usage.home_full",
        f"No space left for the ledger: `{_shown(path)}`\n  {reason}",
        f"See what fills the disk: `df -h {shlex.quote(_shown(path.parent))}`",
    )


def _unwritable(path: Path, error: sqlite3.Error | OSError) -> UsageError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return _usage(
        "usage.home_unwritable",
        f"The ledger cannot be written: `{_shown(path)}`\n  {reason}",
        "See what is wrong with the folders: `oneseat doctor`",
    )


def _refused_by_system(error: OSError, path: Path) -> UsageError:
    return _full(path, error) if error.errno in _FULL else _unwritable(path, error)


def _broken_io(path: Path, error: sqlite3.Error) -> UsageError:
    # SQLite hides the system's error, so ask the system again: a full quota is not a broken disk.
    reason = _probe(path)
    return _refused_by_system(reason, path) if reason is not None else _unwritable(path, error)


def _probe(path: Path) -> OSError | None:
    """The system's error for a write beside the ledger, at the size of the ledger and its log."""
    sizes = [0]
    for grown in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError):
            sizes.append(grown.stat().st_size)
    probe = path.with_name(f"{path.name}.probe-{os.getpid()}")
    try:
        with probe.open("wb", buffering=0) as file:
            file.seek(max(sizes))
            # The system writes the last bytes that fit and reports only the next write.
            unwritten = memoryview(bytes(_PROBE_BYTES))
            while unwritten:
                unwritten = unwritten[file.write(unwritten) :]
            os.fsync(file.fileno())
    except OSError as error:
        return error
    finally:
        with suppress(OSError):
            probe.unlink()
    return None


def _too_large(path: Path, error: sqlite3.Error) -> UsageError:
    return _usage(
        "usage.ledger_too_large",
        f"An entry is too large for the ledger: `{_shown(path)}`\n  SQLite says: {error}",
        None,
    )


_BY_CODE: dict[int, Callable[[Path, sqlite3.Error], UsageError]] = {
    sqlite3.SQLITE_CORRUPT: _corrupt,
    sqlite3.SQLITE_NOTADB: _corrupt,
    sqlite3.SQLITE_BUSY: _busy,
    sqlite3.SQLITE_LOCKED: _busy,
    sqlite3.SQLITE_FULL: _full,
    sqlite3.SQLITE_READONLY: _unwritable,
    sqlite3.SQLITE_PERM: _unwritable,
    sqlite3.SQLITE_CANTOPEN: _unwritable,
    sqlite3.SQLITE_IOERR: _broken_io,
    sqlite3.SQLITE_TOOBIG: _too_large,
}


def _move_aside(path: Path) -> str:
    """The command that moves the file away, with its write-ahead log, which may hold the newest runs.

    The pattern includes the log if there is one, and the new folder overwrites nothing.
    """
    number = 1
    while (folder := path.with_name(f"damaged-{number}")).exists():
        number += 1
    if sys.platform == "win32":
        return f'mkdir "{_shown(folder)}" && move "{_shown(path)}*" "{_shown(folder)}"'
    old, new = shlex.quote(_shown(path)), shlex.quote(_shown(folder))
    return f"mkdir {new} && mv {old}* {new}"


def _usage(code: str, message: str, hint: str | None, whose_turn: WhoseTurn = "you") -> UsageError:
    return UsageError(ErrorInfo(code=code, message=message, hint=hint, whose_turn=whose_turn))


def _shown(path: Path) -> str:
    return printable(str(path))
