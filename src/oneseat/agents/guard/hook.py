"""The pre-push hook: put in place beside what is there already, and taken away again."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .git import Repository
from .report import usage_error
from .selftest import try_hook

State = Literal["none", "ready", "not_executable", "foreign"]
_MARK = "# Written by `oneseat guard install`, removed by `oneseat guard uninstall`."
_BEFORE = "pre-push.before-oneseat"
_SCRIPT = f"""#!/bin/sh
{_MARK}
refs=$(cat)
told() {{
    [ -z "$refs" ] || printf '%s\\n' "$refs"
}}
before="${{0%/*}}/{_BEFORE}"
if [ -x "$before" ]; then
    told | "$before" "$@" || exit $?
fi
if [ ! -x {{python}} ]; then
    echo "error: oneseat is gone, so nothing checks this push: {{python}}" >&2
    echo "hint: install oneseat again, then: oneseat guard install" >&2
    exit 2
fi
told | {{python}} -m oneseat guard scan --pre-push "$1" "$2"
"""


def install(repository: Repository, env: Mapping[str, str]) -> list[str]:
    """Put the hook in place and test it; returns what there is to know. A hook that is there runs before it.

    Raises ``UsageError`` ``usage.guard_hook`` or ``usage.guard_self_test``.
    """
    file = repository.hooks / "pre-push"
    notes = [f"installed: {file}"]
    try:
        repository.hooks.mkdir(parents=True, exist_ok=True)
        if hook_state(repository) == "foreign":
            notes.append(f"the hook that was there runs first: {_move_away(file)}")
        file.write_text(_SCRIPT.replace("{python}", shlex.quote(sys.executable)), "utf-8")
        file.chmod(0o755)
    except OSError as error:
        raise usage_error(
            "usage.guard_hook",
            f"The hook cannot be written: `{file}`\n  {error.strerror}",
            "Make its folder writable",
        ) from None
    if not os.access(file, os.X_OK):
        raise usage_error(
            "usage.guard_hook",
            f"The hook cannot be executed, so git would leave it out: `{file}`\n  its file system does not allow programs",
            "Name another folder for hooks: `git config core.hooksPath DIR`",
        )
    if repository.git.line("config", "--get", "core.hooksPath"):
        notes.append(f"core.hooksPath is set: the hook guards every repository that uses {repository.hooks}")
    try_hook(env)
    return [*notes, "tested: a push with a made-up secret is stopped, one without passes"]


def _move_away(file: Path) -> Path:
    before = file.with_name(_BEFORE)
    if before.exists():
        raise usage_error(
            "usage.guard_hook",
            f"Two hooks were there before: `{file}` and `{before}`",
            f"Make one of them, then install again: `cat {shlex.quote(str(before))}`",
        )
    file.rename(before)
    return before


def uninstall(repository: Repository) -> list[str]:
    """Take the hook away and bring back what was there. Returns what was done. Raises ``UsageError`` ``usage.guard_hook``."""
    file = repository.hooks / "pre-push"
    state = hook_state(repository)
    if state == "none":
        return [f"nothing to remove: {file}"]
    if state == "foreign":
        raise usage_error(
            "usage.guard_hook", f"The hook is not oneseat's: `{file}`", "Remove its line for oneseat yourself"
        )
    before = file.with_name(_BEFORE)
    try:
        file.unlink()
        if before.exists():
            before.rename(file)
            return [f"removed, and brought back what was there before: {file}"]
    except OSError as error:
        raise usage_error(
            "usage.guard_hook", f"The hook cannot be removed: `{file}`\n  {error.strerror}"
        ) from None
    return [f"removed: {file}"]


def hook_state(repository: Repository) -> State:
    """Whether the hook is there, is oneseat's, and would be run by git."""
    file = repository.hooks / "pre-push"
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return "none"
    if _MARK not in text:
        return "foreign"
    return "ready" if os.access(file, os.X_OK) else "not_executable"
