"""oneseat's folders without what it takes to find them in every case: half a command's time, for those that prompts ask."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneseat.host.paths import Paths


def data_dir(env: Mapping[str, str]) -> str:
    """The folder for data. Raises ``UsageError`` ``usage.bad_home``."""
    return _quick(env, "data", "XDG_DATA_HOME", ".local/share") or str(_paths(env).data_dir)


def config_dir(env: Mapping[str, str]) -> str:
    """The folder for settings. Raises ``UsageError`` ``usage.bad_home``."""
    return _quick(env, "config", "XDG_CONFIG_HOME", ".config") or str(_paths(env).config_dir)


def _quick(env: Mapping[str, str], below: str, variable: str, usual: str) -> str | None:
    """The folder in the ordinary cases, without asking `host.paths`, which takes 40 ms to import."""
    home = env.get("ONESEAT_HOME", "")
    if home.startswith("/"):
        return f"{home.rstrip('/')}/{below}"
    if "ONESEAT_HOME" not in env and sys.platform.startswith("linux"):
        folder = env.get(variable, "").strip() or (f"{env['HOME']}/{usual}" if env.get("HOME") else "")
        if folder.startswith("/"):
            return f"{folder}/oneseat"
    return None


def _paths(env: Mapping[str, str]) -> Paths:
    from oneseat.assembly import find_paths  # noqa: PLC0415 - see above

    return find_paths(env)
