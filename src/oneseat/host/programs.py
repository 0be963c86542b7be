"""Where a program is."""

from __future__ import annotations

import shutil
from pathlib import Path


def find_program(named: str, search_path: str | None) -> str | None:
    """The absolute path of a program: one that is given as such (or with ``~/``), or the first in ``search_path``.

    ``None`` when there is none. A path relative to the working directory would be whatever that directory holds, perhaps a
    stranger's clone, so it is none.
    """
    path = Path(named).expanduser() if named.startswith("~/") else Path(named)
    if path.name != named:
        return str(path) if path.is_absolute() and shutil.which(str(path)) else None
    found = shutil.which(named, path=search_path or "")
    return str(Path(found).absolute()) if found else None
