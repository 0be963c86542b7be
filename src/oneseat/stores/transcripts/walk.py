"""Finds transcripts. Only regular files below a configuration folder's ``projects``; no link is followed."""

from __future__ import annotations

import marshal
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    #: Inode, size and time of change (nanoseconds) of a file: when one of them differs, it has to be looked at.
    Looks: TypeAlias = tuple[int, int, int]

#: Later formats of `marshal` depend on who else holds a value.
_WITHOUT_REFERENCES = 2


class Walk:
    """What lies below the configuration folders ``roots``: ``files`` by path. Nothing here raises ``OSError``."""

    def __init__(self, roots: Sequence[str]) -> None:
        self.files: dict[bytes, Looks] = {}
        self.links = 0
        self.closed_folders = 0
        self._bases = [os.fsencode(f"{root}{os.sep}projects{os.sep}") for root in roots]
        for base in self._bases:
            self._folder(base[:-1])

    def below(self, path: bytes) -> bytes:
        """A file's path below the ``projects`` it was found in."""
        return next(path[len(base) :] for base in self._bases if path.startswith(base))

    def _folder(self, folder: bytes) -> None:
        pending = [folder]
        while pending:
            try:
                with os.scandir(pending.pop()) as entries:
                    for entry in entries:
                        if not entry.name.endswith(b".jsonl"):
                            self._other(entry, pending)
                            continue
                        try:
                            found = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            continue  # deleted between two looks
                        if stat.S_ISREG(found.st_mode):
                            self.files[entry.path] = (found.st_ino, found.st_size, found.st_mtime_ns)
                        else:
                            self._other(entry, pending)
            except (FileNotFoundError, NotADirectoryError):
                continue  # it vanished, or was never there
            except OSError:
                self.closed_folders += 1

    def _other(self, entry: os.DirEntry[bytes], pending: list[bytes]) -> None:
        """What is no transcript: a folder to look into, a link, or nothing of interest."""
        try:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.is_symlink() and (entry.name.endswith(b".jsonl") or entry.is_dir()):
                self.links += 1
        except FileNotFoundError:
            return  # deleted between two looks

    def listing(self) -> bytes:
        """All of it in one value: as long as it is the same, nothing was added, changed or removed."""
        return listing(self.files)


def listing(files: dict[bytes, Looks]) -> bytes:
    """Files and their looks in one value, which is the same for the same files."""
    return marshal.dumps(sorted(files.items()), _WITHOUT_REFERENCES)


def roots_of(home: str, config_dir: str | None, xdg_config: str | None) -> tuple[str, ...]:
    """The configuration folders of the official CLI: those that ``CLAUDE_CONFIG_DIR`` names, else both usual ones.

    Several are separated by commas; one whose own name has a comma is taken as it is. A folder named twice counts once.
    """
    if config_dir:
        named = [config_dir] if os.path.isdir(config_dir) else config_dir.split(",")  # noqa: PTH112 - pathlib takes 10 ms to import
    else:
        named = [f"{xdg_config or f'{home}/.config'}/claude", f"{home}/.claude"]
    real = (os.path.realpath(os.path.expanduser(name.strip())) for name in named if name.strip())  # noqa: PTH111 - as above
    return tuple(dict.fromkeys(real))
