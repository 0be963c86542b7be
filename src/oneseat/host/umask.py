"""The mask that new files of this process are made with."""

from __future__ import annotations

import os


def current_umask() -> int:
    """The mask now. There is no way to look at it but to set it, so only a process with one thread may ask."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
