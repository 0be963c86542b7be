"""Reads regular files only, without blocking: a plain open of a named pipe would wait for a writer."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def read_regular(path: str | Path, most: int = -1) -> bytes:
    """The first ``most`` bytes of a regular file, or all of it. Raises ``OSError``, also for a folder, a pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "It is not a regular file")
        return file.read(most)
