"""Finds transcripts. Only regular files below a configuration folder's ``projects``; no link is followed."""

from __future__ import annotations

import marshal
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    #: Inode, size and time of change (nanoseconds) of a file: when one of them differs, it has to be looked at.
    Looks: TypeAlias = tuple[int, int, int]
    #: A folder that need not be listed again as long as it looks the same: its inode and both its times of change
    #: (nanoseconds), the transcripts that are in it, the folders that are in it, the links that are in it.
    Folder: TypeAlias = tuple[tuple[int, int, int], tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]

#: A folder that was changed this short a time before it was listed may change again without looking different, in nanoseconds.
_RECENT_NS = 3_000_000_000
#: What a listing holds, as a number: one of another kind is none.
_FORM = 2
#: So many files are noted beside a listing; with more of them it is written anew.
_FEW = 64
#: Elsewhere a folder need not show that something was put into it.
_FOLDERS_SHOW_CHANGES = os.name == "posix"


class Walk:
    """What lies below the configuration folders ``roots``: ``files`` by path. Nothing here raises ``OSError``.

    ``before`` holds the ``listing`` of an earlier walk: folders that look as they did then are not listed again, which takes
    most of the time.
    """

    def __init__(self, roots: Sequence[str], before: Mapping[str, object]) -> None:
        self.files: dict[bytes, Looks] = {}
        self.folders: dict[bytes, Folder] = {}
        self.links = 0
        self.closed_folders = 0
        self._before, self._known, self._grown = _read(before)
        self._bases = [os.fsencode(f"{root}{os.sep}projects{os.sep}") for root in roots]
        for base in self._bases:
            self._below(base[:-1])
        #: Whether all files are those of the earlier walk, and look the same.
        self.same = self.files == self._before
        earlier = self._before or {}
        #: The files that look different from what the earlier walk found.
        self.changed = (
            [] if self.same else [path for path, looks in self.files.items() if earlier.get(path) != looks]
        )

    def below(self, path: bytes) -> bytes:
        """A file's path below the ``projects`` it was found in."""
        return next(path[len(base) :] for base in self._bases if path.startswith(base))

    def listing(self, files: dict[bytes, Looks]) -> dict[str, bytes]:
        """What the next walk needs to know of this one, by name, with the looks of ``files`` as they were read.

        Where a few files have grown, and that is all, it is only these, beside what is known: a whole one takes half a megabyte.
        """
        grown = {**self._grown, **{path: files[path] for path in self.changed if path in files}}
        if (
            self._before is not None
            and len(grown) <= _FEW
            and files.keys() == self._before.keys()
            and self.folders == self._known
        ):
            return {"grown": marshal.dumps(grown)}
        return {"listing": marshal.dumps((_FORM, files, self.folders)), "grown": marshal.dumps({})}

    def _below(self, folder: bytes) -> None:
        pending = [folder]
        while pending:
            folder = pending.pop()
            known = self._known.get(folder)
            if known is None or not self._unchanged(folder, known):
                self._list(folder, pending)
            else:
                pending += known[2]

    def _unchanged(self, folder: bytes, known: Folder) -> bool:
        """Look at the transcripts of a folder that need not be listed; false when it has to be."""
        looks, names, _, links = known
        files, lstat = self.files, os.lstat
        try:
            if _looks_of(folder) != looks:
                return False
            for path in names:
                found = lstat(path)
                files[path] = (found.st_ino, found.st_size, found.st_mtime_ns)
        except OSError:
            for path in names:
                files.pop(path, None)
            return False
        self.folders[folder] = known
        if links:
            self._count(links)
        return True

    def _count(self, links: Sequence[bytes]) -> None:
        """Count the links that might lead to transcripts: where one leads to can change without a trace in its folder."""
        self.links += sum(path.endswith(b".jsonl") or os.path.isdir(path) for path in links)  # noqa: PTH112 - pathlib takes 10 ms to import

    def _list(self, folder: bytes, pending: list[bytes]) -> None:
        files: dict[bytes, Looks] = {}
        others: list[os.DirEntry[bytes]] = []
        try:
            # Before it is listed: what is put into it meanwhile makes it look different.
            looks, now = _looks_of(folder), time.time_ns()
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.name.endswith(b".jsonl"):
                        others.append(entry)
                        continue
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # deleted between two looks
                    if stat.S_ISREG(found.st_mode):
                        files[entry.path] = (found.st_ino, found.st_size, found.st_mtime_ns)
                    else:
                        others.append(entry)
            self.files.update(files)
            folders = [entry.path for entry in others if entry.is_dir(follow_symlinks=False)]
            pending += folders
            links = [entry.path for entry in others if entry.is_symlink()]
            self._count(links)
        except (FileNotFoundError, NotADirectoryError):
            return  # it vanished, or was never there
        except OSError:
            self.closed_folders += 1
            return
        if _FOLDERS_SHOW_CHANGES and max(looks[1:]) < now - _RECENT_NS:
            self.folders[folder] = (looks, tuple(files), tuple(folders), tuple(links))


def _looks_of(folder: bytes) -> tuple[int, int, int]:
    found = os.stat(folder)  # noqa: PTH116 - pathlib takes 10 ms to import
    # Programs that copy folders set the first time back, as if nothing had been added; nothing can set the second.
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _read(
    before: Mapping[str, object],
) -> tuple[dict[bytes, Looks] | None, dict[bytes, Folder], dict[bytes, Looks]]:
    """The files and folders of a listing, and those of the files that were noted beside it; nothing when it is none."""
    try:
        form, files, folders = marshal.loads(before.get("listing"))  # type: ignore[arg-type]  # noqa: S302 - our own file, which nobody else can write
        grown = marshal.loads(before.get("grown"))  # type: ignore[arg-type]  # noqa: S302 - as above
    except (ValueError, EOFError, TypeError):
        return None, {}, {}
    if form != _FORM:
        return None, {}, {}
    files.update(grown)
    return files, folders, grown


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
