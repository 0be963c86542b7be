"""The folders and files of a oneseat home, and whether they are usable and private."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.ownership import refuse_strangers

#: What a run may write at once: SQLite's pages and its log.
_A_RUN_BYTES = 262_144
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class PathFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder that other users of this machine may open. ``fix`` is the command that makes it private."""

    path: str
    mode: int
    fix: str


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """The folders and files of one oneseat home, all absolute."""

    home: Path | None
    config_dir: Path
    data_dir: Path
    state_dir: Path

    @classmethod
    def find(cls, home: str | None) -> Paths:
        """The paths under ``home``, or the platform's own folders when it is ``None``. Creates nothing.

        Raises ``UsageError`` ``usage.bad_home`` when a folder would depend on the working directory.
        """
        if home is None:
            return _platform_paths()
        folder = expand_home(home)
        _refuse_relative(folder, home)
        return cls(
            home=folder, config_dir=folder / "config", data_dir=folder / "data", state_dir=folder / "state"
        )

    @property
    def runs_db(self) -> Path:
        """The ledger."""
        return self.data_dir / "runs.db"

    @property
    def canary_results(self) -> Path:
        """The versions and trial results of the installed CLIs."""
        return self.data_dir / "canary.json"

    @property
    def tmp_dir(self) -> Path:
        """The folder of the private files of current runs."""
        return self.state_dir / "tmp"

    @property
    def serve_dir(self) -> Path:
        """The folder of the socket and the lock of a running server, which creates it."""
        return self.state_dir / "serve"

    def ensure(self) -> None:
        """Create missing folders, private to the owner, and check that all of them are writable.

        Raises ``UsageError`` ``usage.home_unwritable``, ``usage.home_full`` or ``usage.foreign_file``.
        """
        for folder in self._folders():
            try:
                create_folder(folder)
            except OSError as error:
                raise home_error(error, folder) from None
            refuse_strangers(folder)
            # Unlike the mode bits, this also covers read-only file systems and access lists.
            if not os.access(folder, os.W_OK | os.X_OK):
                raise _unwritable(folder, "it cannot be written by this user")
        for file in self._files():
            refuse_strangers(file)

    def check_space(self) -> None:
        """Write as much as a run does into each folder, and take it back. Raises like ``ensure``."""
        for folder in self._folders():
            probe = folder / f".space-{os.getpid()}"
            try:
                with probe.open("wb") as file:
                    file.write(bytes(_A_RUN_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise home_error(error, folder) from None
            finally:
                with contextlib.suppress(OSError):
                    probe.unlink()

    def findings(self) -> tuple[PathFinding, ...]:
        """Every file and folder here that other users may open. Windows has no mode bits, so no findings."""
        if sys.platform == "win32":
            return ()
        return tuple(_not_private(self._folders(), _PRIVATE_FOLDER)) + tuple(
            _not_private(self._files(), _PRIVATE_FILE)
        )

    def _folders(self) -> Iterator[Path]:
        if self.home is not None:
            yield self.home
        yield from dict.fromkeys((self.config_dir, self.data_dir, self.state_dir, self.tmp_dir))

    def _files(self) -> Iterator[Path]:
        yield from (self.runs_db, self.runs_db.with_name("runs.db-wal"), self.canary_results)
        yield self.data_dir / "usage.db"
        yield from (
            self.config_dir / name for name in ("oneseat.toml", "policy-pack.json", "policy-word.json")
        )


def home_error(error: OSError, path: Path) -> UsageError:
    """The error for a failed file operation at ``path`` in oneseat's own folders."""
    if error.errno not in _FULL:
        return _unwritable(path, error.strerror or type(error).__name__)
    return UsageError(
        ErrorInfo(
            code="usage.home_full",
            message=f"No space left for oneseat's files: `{_shown(path)}`\n  {error.strerror}",
            hint=f"See what fills it: `df -h {_quoted(_existing(path))}`",
        )
    )


def expand_home(path: str | Path) -> Path:
    """``path`` with a leading ``~`` replaced by the home folder; unchanged for an unknown user, or a user without a home folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises RuntimeError in these cases


def working_directory() -> Path:
    """The working directory of this process. Raises ``UsageError`` ``usage.bad_directory`` when it was deleted."""
    try:
        return Path.cwd()
    except OSError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.bad_directory",
                message=f"The working directory cannot be used: `.`\n  {error.strerror}: it was deleted or moved",
                hint="Change to a directory that exists: `cd ~`",
            )
        ) from None


def absolute_path(path: str | Path) -> Path:
    """``path`` as an absolute one. Raises like ``working_directory`` when it is relative to a deleted directory."""
    expanded = expand_home(path)
    return expanded if expanded.is_absolute() else working_directory() / expanded


def find_program(named: str, search_path: str | None) -> str | None:
    """The absolute path of a program: the given one when it is absolute (or begins with ``~/``), else the first in ``search_path``.

    ``None`` when there is none. A relative path is never used: in a cloned repository it could be anybody's program.
    """
    path = expand_home(named) if named.startswith("~/") else Path(named)
    if path.name != named:
        return str(path) if path.is_absolute() and shutil.which(str(path)) else None
    found = shutil.which(named, path=search_path or "")
    return str(absolute_path(found)) if found else None


def _platform_paths() -> Paths:
    import platformdirs  # noqa: PLC0415 - an import of oneseat takes a third longer with it, and a named home has no use for it

    dirs = platformdirs.PlatformDirs("oneseat", appauthor=False)
    try:
        paths = Paths(
            home=None,
            config_dir=dirs.user_config_path,
            data_dir=dirs.user_data_path,
            state_dir=dirs.user_state_path,
        )
    except RuntimeError:
        # A container's user without a passwd entry has no home, and HOME may be unset too.
        raise _bad_home("~", "this user has no home folder") from None
    _refuse_relative(paths.config_dir, str(paths.config_dir))
    return paths


def _refuse_relative(folder: Path, named: str) -> None:
    # A relative folder would be a different one, with its own ledger, in every working directory.
    if not folder.is_absolute() or "\0" in named:
        raise _bad_home(named, "oneseat's folders must not depend on the working directory")


def _bad_home(named: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.bad_home",
            message=f"Not an absolute path: `{_shown(named)}`\n  {why}",
            hint="Name one: `export ONESEAT_HOME=/path/to/a/folder`",
        )
    )


def create_folder(folder: Path) -> None:
    """Create a folder and the missing ones above it, all private to the owner. Raises ``OSError``."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    for path in reversed(missing):
        path.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def _unwritable(path: Path, reason: str) -> UsageError:
    reached = _existing(path)
    if not _is_folder(reached):
        reason = f"`{_shown(reached)}` is not a folder"
    return UsageError(
        ErrorInfo(
            code="usage.home_unwritable",
            message=f"oneseat's folder cannot be used: `{_shown(path)}`\n  {reason[:1].lower()}{reason[1:]}",
            hint=_hint(path),
        )
    )


def _hint(path: Path) -> str:
    if sys.platform == "win32":
        return "Choose another folder: `setx ONESEAT_HOME C:\\path\\to\\a\\folder`"
    elsewhere = "Choose another folder: `export ONESEAT_HOME=/path/to/a/folder`"
    try:
        status = path.stat()
    except OSError:
        return elsewhere
    locked = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_IRWXU != stat.S_IRWXU
    # Only for the user's own folder: never suggest changing a system folder.
    if locked and status.st_uid == os.geteuid():
        return f"Make it writable: `chmod u+rwx {_quoted(path)}`"
    return elsewhere


def _existing(path: Path) -> Path:
    """The deepest existing part of ``path``."""
    return next((part for part in (path, *path.parents) if os.path.lexists(part)), path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # Behind a link that cannot be followed: the system's own reason is better than a guess.
        return True


def _not_private(paths: Iterator[Path], wanted: int) -> Iterator[PathFinding]:
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            yield PathFinding(path=str(path), mode=mode, fix=f"chmod {wanted:o} {_quoted(path)}")


def _quoted(path: Path) -> str:
    return shlex.quote(_shown(path))


def _shown(path: object) -> str:
    # A path may contain line breaks, terminal codes and undecodable bytes; a message must not.
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(path)
    )
