"""oneseat's folders in the ordinary cases, without what it takes to find them in every case, which is half a quick answer's time.

They are the folders of ``Paths.find``, which a test holds; ``None`` where only the full search can tell.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def data_dir(env: Mapping[str, str]) -> str | None:
    """The folder for data."""
    return _folder(env, "data", "XDG_DATA_HOME", ".local/share")


def config_dir(env: Mapping[str, str]) -> str | None:
    """The folder for settings."""
    return _folder(env, "config", "XDG_CONFIG_HOME", ".config")


def serve_folder(env: Mapping[str, str]) -> str | None:
    """The folder with the socket of a running server."""
    state = _folder(env, "state", "XDG_STATE_HOME", ".local/state")
    return None if state is None else os.path.join(state, "serve")


def _folder(env: Mapping[str, str], below: str, variable: str, usual: str) -> str | None:
    home = env.get("ONESEAT_HOME")
    if home is not None:
        folder = os.path.join(os.path.expanduser(home), below)
    elif sys.platform == "linux":
        # What a relative or a `~` value of the variable means is for the full search to say.
        given = env.get(variable, "")
        if not given.strip():
            given = os.path.join(env["HOME"], usual) if env.get("HOME") else ""
        folder = os.path.join(given, "oneseat")
    else:
        return None
    return folder if os.path.isabs(folder) and "\0" not in folder else None
