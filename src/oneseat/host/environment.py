"""What this process hands on to a child, and what its environment says about the machine.

Standard library only, and little of it: a command that looks for a running server loads this first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

#: What any program needs to run as this user. An allow-list: a deny-list would miss the next variable that can change who pays.
HARMLESS = frozenset(
    {
        "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ",
        "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
        "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "USERPROFILE", "USERNAME",
        "HOMEDRIVE", "HOMEPATH", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "NUMBER_OF_PROCESSORS",
    }
)  # fmt: skip
#: How many oneseat runs the process is nested in, so that an endless recursion can be refused.
DEPTH = "ONESEAT_DEPTH"
#: Python refuses to parse an integer with thousands of digits.
_DEPTH_DIGITS = 9
#: Variables that only CI services set. `CI` alone is set by many programs on one's own machine.
RUNNER_VARIABLES = (
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "BUILDKITE",
    "CIRCLECI",
    "CIRRUS_CI",
    "CODEBUILD_BUILD_ID",
    "DRONE",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "SEMAPHORE",
    "TEAMCITY_VERSION",
    "TF_BUILD",
    "TRAVIS",
)


def base_environment(parent: Mapping[str, str], pass_names: Iterable[str]) -> dict[str, str]:
    """The part of ``parent`` that a child gets: harmless names, ``pass_names``, and its nesting depth."""
    names = HARMLESS | set(pass_names)
    env = {
        name: value
        for name, value in parent.items()
        if name.upper() in names or name.upper().startswith("LC_")
    }
    env[DEPTH] = str(nesting_depth(parent) + 1)
    return env


def nesting_depth(env: Mapping[str, str]) -> int:
    """How many oneseat runs the process with this environment is nested in; 0 for an invalid value."""
    value = env.get(DEPTH, "0")[:_DEPTH_DIGITS]
    return int(value) if value.isascii() and value.isdigit() else 0


def rented_runner(env: Mapping[str, str]) -> str | None:
    """The variable that shows this machine to be a CI runner; ``None`` on any other machine."""
    return next(
        (name for name in RUNNER_VARIABLES if env.get(name, "").lower() not in {"", "false", "0"}), None
    )


def current_umask() -> int:
    """The umask of this process. It can only be read by setting it, so call this from a single-threaded process only."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
