"""Writes a file as a whole: a reader sees the old contents or the new ones, never half of them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Replace a file, or create it, with the permissions ``mode``. Its folder must exist. Raises ``OSError``.

    With ``durable`` a power cut after it cannot leave an empty file.
    """
    # `mkstemp` creates it with mode 0600, whatever the umask.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:  # also Ctrl-C: no temporary file is left behind
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
