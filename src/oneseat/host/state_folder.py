"""Where a command finds a running server, without loading what only the rest of oneseat needs.

The same folder as ``Paths.find(...).serve_dir``, which a test holds; ``None`` wherever working it out takes more than a look.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_SERVE = "serve"


def serve_folder(env: Mapping[str, str]) -> str | None:
    """The folder of the server's socket under this environment, or ``None`` when only the full search can tell."""
    home = env.get("ONESEAT_HOME")
    if home is not None:
        folder = os.path.join(os.path.expanduser(home), "state")
        return _absolute(folder)
    if sys.platform != "linux":
        return None
    state = env.get("XDG_STATE_HOME", "")
    if state.strip():
        # What a relative or a `~` value means is for the full search to say.
        return _absolute(os.path.join(state, "oneseat"))
    own = env.get("HOME")
    return _absolute(os.path.join(own, ".local", "state", "oneseat")) if own else None


def _absolute(folder: str) -> str | None:
    clean = os.path.isabs(folder) and "\0" not in folder
    return os.path.join(folder, _SERVE) if clean else None
