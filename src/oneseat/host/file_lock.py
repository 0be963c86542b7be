"""Locks on files, across processes. The system itself frees the lock of a process that died."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Windows keeps others from reading what is locked: this byte is locked, and what a holder writes is before it.
_LOCKED_BYTE = 1 << 20


def take(path: Path) -> int | None:
    """The open and locked file, made where it is missing; ``None`` when another has it. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # The one that held it may have removed the file between the two steps: then this lock keeps nobody out.
        if _lock(descriptor) and _is_at(descriptor, path):
            return descriptor
    except BaseException:  # also Ctrl-C: an open file would keep the lock as long as this process lives
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def release(descriptor: int, path: Path) -> None:
    """Free what ``take`` gave, and take the file away."""
    if sys.platform == "win32":
        # An open file cannot be removed there; an empty one says as well that nobody holds it.
        os.ftruncate(descriptor, 0)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
    os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # Windows calls it a matter of permission
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
