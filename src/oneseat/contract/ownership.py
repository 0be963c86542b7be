"""Whose files and folders are obeyed: those of this user and of root. What somebody else can write decides nothing."""

from __future__ import annotations

import os
import shlex
import sys

from .errors import ErrorInfo, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def trusted_owners(env: Mapping[str, str] = os.environ) -> frozenset[int]:
    """The users whose files this process obeys: itself, root, and with `sudo` the user who typed that."""
    user = _user()
    if user is None:
        return frozenset()
    sudo = env.get("SUDO_UID", "")
    behind = {int(sudo)} if user == 0 and sudo.isascii() and sudo.isdigit() else set()
    return frozenset({0, user, *behind})


def stranger(
    entry: os.stat_result, target: os.stat_result, folder: os.stat_result, trusted: frozenset[int]
) -> bool:
    """Whether somebody else decides what a path leads to: ``entry`` is the path itself, ``target`` what a link leads to.

    A file with several hard links may have been put into its ``folder`` by the folder's owner, whoever owns the file.
    """
    owners = {entry.st_uid, target.st_uid}
    if target.st_nlink > 1 and target.st_mode & 0o170000 == 0o100000:
        owners.add(folder.st_uid)
    return not owners <= trusted


def refuse_strangers(path: Path) -> None:
    """Raise ``UsageError`` ``usage.foreign_file`` for a file or folder that another user controls; not for a missing one."""
    trusted = trusted_owners()
    if not trusted:  # Windows has no such owners
        return
    try:
        entry, target, folder = path.lstat(), path.stat(), path.parent.stat()
    except OSError:
        return
    if stranger(entry, target, folder, trusted):
        raise foreign(path, entry, target)


def foreign(path: Path, entry: os.stat_result, target: os.stat_result) -> UsageError:
    """The error of a file or folder that another user controls."""
    trusted = trusted_owners()
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(path))
    if entry.st_uid in trusted and target.st_uid in trusted:
        why, fix = (
            "its folder belongs to another user, who may have linked it there",
            "cp {0} {0}.own && mv {0}.own {0}",
        )
    else:
        link = "" if entry.st_uid in trusted or entry.st_ino == target.st_ino else "-h "
        owner = entry.st_uid if entry.st_uid not in trusted else target.st_uid
        why, fix = f"it belongs to another user (uid {owner})", f"sudo chown {link}{_user()} {{0}}"
    return UsageError(
        ErrorInfo(
            code="usage.foreign_file",
            message=f"Another user's file is not obeyed: `{shown}`\n  {why}",
            hint=f"If you trust what is in it, make it yours: `{fix.format(shlex.quote(shown))}`",
        )
    )


def _user() -> int | None:
    """The user of this process; ``None`` on Windows, which has no numbers for them."""
    if sys.platform == "win32":
        return None
    return os.geteuid()
