"""What a child's environment is built from: an allow-list. A deny-list would miss the next variable that can change who pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

#: What any program needs to run as this user. No name here can change who pays.
HARMLESS = frozenset(
    {
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ",
        "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
        "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "USERNAME",
        "HOMEDRIVE", "HOMEPATH", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "NUMBER_OF_PROCESSORS",
    }
)  # fmt: skip
#: Nesting depth of oneseat inside runs of oneseat, so that a loop can be refused.
DEPTH = "ONESEAT_DEPTH"
#: Python refuses to read a number of thousands of digits.
_DEPTH_DIGITS = 9


def allowed(parent: Mapping[str, str], pass_names: Iterable[str]) -> dict[str, str]:
    """What a child may see of ``parent``: harmless names, ``pass_names``, and how deep in oneseat it is."""
    names = HARMLESS | set(pass_names)
    env = {
        name: value
        for name, value in parent.items()
        if name.upper() in names or name.upper().startswith("LC_")
    }
    env[DEPTH] = str(depth_of(parent) + 1)
    return env


def depth_of(parent: Mapping[str, str]) -> int:
    """How many runs of oneseat this process is inside of."""
    value = parent.get(DEPTH, "0")[:_DEPTH_DIGITS]
    return int(value) if value.isascii() and value.isdigit() else 0
