"""Finds transcripts: regular files below the ``projects`` of a configuration folder. No link is followed."""

from __future__ import annotations

import marshal
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    #: Inode, size and modification time (nanoseconds) of a file: when one of them differs, the file has to be read.
    Fingerprint: TypeAlias = tuple[int, int, int]
    #: A folder that need not be listed again while its inode and both change times (nanoseconds) are the same; then its
    #: transcripts, folders and links.
    Folder: TypeAlias = tuple[tuple[int, int, int], tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]

#: A folder changed less than this before it was listed may change again within the same timestamp, in nanoseconds.
_RECENT_NS = 3_000_000_000
#: The format of a listing. One of another format is ignored.
_FORMAT = 2
#: Up to so many changed files are stored beside a listing; with more, the listing is rewritten.
_MOST_GROWN = 64
#: On other systems a folder's times need not change when a file is added.
_FOLDERS_SHOW_CHANGES = os.name == "posix"


class Walk:
    """The ``files`` below the configuration folders ``roots``, by path. Nothing here raises ``OSError``.

    ``before`` holds the ``listing`` of an earlier walk: folders with the same times are not listed again, which takes most of
    the time.
    """

    def __init__(self, roots: Sequence[str], before: Mapping[str, object]) -> None:
        self.files: dict[bytes, Fingerprint] = {}
        self.folders: dict[bytes, Folder] = {}
        self.links = 0
        self.closed_folders = 0
        self._before, self._known, self._grown = _read(before)
        self._bases = [os.fsencode(f"{root}{os.sep}projects{os.sep}") for root in roots]
        for base in self._bases:
            self._below(base[:-1])
        #: Whether all files are those of the earlier walk, with the same fingerprints.
        self.same = self.files == self._before
        earlier = self._before or {}
        #: New files, and files with another fingerprint than in the earlier walk.
        self.changed = (
            [] if self.same else [path for path, found in self.files.items() if earlier.get(path) != found]
        )

    def below(self, path: bytes) -> bytes:
        """A file's path below its ``projects`` folder."""
        return next(path[len(base) :] for base in self._bases if path.startswith(base))

    def listing(self, files: dict[bytes, Fingerprint]) -> dict[str, bytes]:
        """What the next walk needs from this one, by name, with the fingerprints of ``files`` as they were read.

        When a few files have grown and nothing else has changed, only these: a whole listing has half a megabyte.
        """
        grown = {**self._grown, **{path: files[path] for path in self.changed if path in files}}
        if (
            self._before is not None
            and len(grown) <= _MOST_GROWN
            and files.keys() == self._before.keys()
            and self.folders == self._known
        ):
            return {"grown": marshal.dumps(grown)}
        return {"listing": marshal.dumps((_FORMAT, files, self.folders)), "grown": marshal.dumps({})}

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
        """Check the transcripts of a folder that need not be listed; false when it has to be."""
        fingerprint, names, _, links = known
        files, lstat = self.files, os.lstat
        try:
            if _fingerprint_of(folder) != fingerprint:
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
        """Count links that may lead to transcripts. They are checked each time: a target changes without a trace in the folder."""
        self.links += sum(path.endswith(b".jsonl") or os.path.isdir(path) for path in links)  # noqa: PTH112 - pathlib takes 10 ms to import

    def _list(self, folder: bytes, pending: list[bytes]) -> None:
        files: dict[bytes, Fingerprint] = {}
        others: list[os.DirEntry[bytes]] = []
        try:
            # Before it is listed, so that a file added meanwhile changes the times.
            fingerprint, now = _fingerprint_of(folder), time.time_ns()
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.name.endswith(b".jsonl"):
                        others.append(entry)
                        continue
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # deleted meanwhile
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
            return  # deleted meanwhile, or never there
        except OSError:
            self.closed_folders += 1
            return
        if _FOLDERS_SHOW_CHANGES and max(fingerprint[1:]) < now - _RECENT_NS:
            self.folders[folder] = (fingerprint, tuple(files), tuple(folders), tuple(links))


def _fingerprint_of(folder: bytes) -> tuple[int, int, int]:
    found = os.stat(folder)  # noqa: PTH116 - pathlib takes 10 ms to import
    # Programs that copy folders set the modification time back; nothing can set the change time.
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _read(
    before: Mapping[str, object],
) -> tuple[dict[bytes, Fingerprint] | None, dict[bytes, Folder], dict[bytes, Fingerprint]]:
    """A listing's files and folders, and the files stored beside it; empty when there is no valid listing."""
    try:
        format_, files, folders = marshal.loads(before.get("listing"))  # type: ignore[arg-type]  # noqa: S302 - our own file, which nobody else can write
        grown = marshal.loads(before.get("grown"))  # type: ignore[arg-type]  # noqa: S302 - as above
    except (ValueError, EOFError, TypeError):
        return None, {}, {}
    if format_ != _FORMAT:
        return None, {}, {}
    files.update(grown)
    return files, folders, grown


def roots_of(home: str, config_dir: str | None, xdg_config: str | None) -> tuple[str, ...]:
    """The configuration folders of the official CLI: those in ``CLAUDE_CONFIG_DIR``, else both default ones.

    Several are separated by commas; an existing folder whose own name has a comma is taken as it is. Duplicates count once.
    """
    if config_dir:
        named = [config_dir] if os.path.isdir(config_dir) else config_dir.split(",")  # noqa: PTH112 - pathlib takes 10 ms to import
    else:
        named = [f"{xdg_config or f'{home}/.config'}/claude", f"{home}/.claude"]
    real = (os.path.realpath(os.path.expanduser(name.strip())) for name in named if name.strip())  # noqa: PTH111 - as above
    return tuple(dict.fromkeys(real))
