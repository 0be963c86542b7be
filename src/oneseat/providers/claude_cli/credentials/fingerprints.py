"""Whether the files that decide who pays are still the ones they were."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .paths import ClaudePaths

#: Which file it is, when it was changed and how long it is; ``None`` for one that is not there.
Fingerprint = tuple[int, int, int] | None


def fingerprints(child_env: Mapping[str, str], cwd: str | Path) -> tuple[tuple[str, Fingerprint], ...]:
    """One stamp for each file a child with this environment may take its login, or an address to send to, from."""
    places = ClaudePaths.find(child_env, cwd)
    files = (
        places.login_file(),
        places.user_settings(),
        *places.global_configs(),
        *places.managed_files(),
    )
    return tuple((str(path), _stamp(path)) for path in files)


def _stamp(path: Path) -> Fingerprint:
    try:
        found = os.stat(path)  # noqa: PTH116 - three times faster than Path.stat, and between two messages
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
