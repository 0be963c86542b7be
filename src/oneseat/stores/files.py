"""What every store needs to know about files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file as a whole, readable by the owner only. Raises ``OSError``."""
    # A reader sees the old file or the new one, never half of it. `mkstemp` creates it with mode 0600.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:  # also Ctrl-C: no temporary file is left behind
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def printable(text: str) -> str:
    """A name or a path that is safe to print: it may hold line breaks, terminal codes and bytes that are not text."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
