"""Another scanner's findings beside our own, when its owner asks for them: gitleaks 8, which is not bundled."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from .leaving import Leaving
from .matching import Hit
from .report import usage_error
from .rules import Rule

NAME = "gitleaks"
_LIMIT_S = 600
#: So that the list of commits fits into one argument.
_COMMITS_AT_ONCE = 1000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class _Leak(msgspec.Struct, frozen=True, rename="pascal"):
    rule_id: str = msgspec.field(name="RuleID")
    description: str
    start_line: int
    secret: str
    file: str
    commit: str


class Foreign(NamedTuple):
    """A finding of the other scanner."""

    commit: str | None
    path: str
    hit: Hit


def gitleaks(part: Leaving) -> Iterator[Foreign]:
    """What gitleaks finds in the same commits, or in the index. Raises ``UsageError`` ``usage.guard_scanner``."""
    if part.of_index:
        yield from _run(part, "--staged")
    for start in range(0, len(part.commits), _COMMITS_AT_ONCE):
        yield from _run(
            part, f"--log-opts=--no-walk {' '.join(part.commits[start : start + _COMMITS_AT_ONCE])}"
        )


def _run(part: Leaving, what: str) -> Iterator[Foreign]:
    options = ("--no-banner", "--log-level=error", "--exit-code=0", "--report-format=json", "--report-path=-")
    # Git warns of a file of grafts, also of the null device, and a warning cannot be told from a failure here.
    try:
        done = subprocess.run(
            [NAME, "git", *options, what, "."],
            cwd=part.git.folder,
            env={name: value for name, value in part.git.env.items() if name != "GIT_GRAFT_FILE"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(str(error)) from None
    # It ends with 0 also where it could not read the commits, and says so on stderr only.
    if done.returncode or done.stderr.strip():
        raise _failed(
            _COLOURS.sub("", done.stderr.decode("utf-8", "replace")).strip() or f"exit code {done.returncode}"
        )
    try:
        leaks = msgspec.json.decode(done.stdout, type=list[_Leak])
    except msgspec.MsgspecError as error:
        raise _failed(f"its report cannot be read: {error}") from None
    for leak in leaks:
        hit = Hit(_rule(leak), leak.start_line, leak.secret, f"[redacted: {len(leak.secret)} characters]")
        yield Foreign(leak.commit or None, part.prefix + leak.file, hit)


def _rule(leak: _Leak) -> Rule:
    return Rule(
        id=f"{NAME}-{leak.rule_id}",
        severity="high",
        why=leak.description,
        remedy="Revoke it where it is used, make a new one, and remove it from the commits",
        pattern="",
        true=(),
        false=(),
        category=2,
    )


def _failed(why: str) -> Exception:
    return usage_error(
        "usage.guard_scanner",
        f"The other scanner failed, so its part was not checked: `{NAME}`\n  {why}",
        f"Install it, or leave it out: `oneseat guard scan`, without `--with {NAME}`",
    )
