"""Where the official CLI keeps its files on this platform, measured on claude 2.1.197 and 2.1.329 (Linux).

The CLI composes (NFC) the name of its folder and shortens `folder/..` without regard to links, so the folder it reads can be
another one than the name leads to. Credentials are looked for under every such spelling.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

#: The folder that holds the login and the user's settings, below the home folder.
_CONFIG_DIR = ".claude"


class ClaudePaths(msgspec.Struct, frozen=True):
    """The folders the CLI reads under one environment: the working directory, home, its own, and the administrator's.

    ``config_dirs`` and ``state_dirs`` are all spellings, each with the one that the CLI uses first.
    """

    cwd: Path
    home: Path
    config_dirs: tuple[Path, ...]
    #: The folders of the CLI's own state file: the home folder, unless the configuration was moved.
    state_dirs: tuple[Path, ...]
    managed_dir: Path

    @classmethod
    def find(cls, env: Mapping[str, str], cwd: str | Path) -> ClaudePaths:
        """The places under ``env`` for a CLI that is started in ``cwd``."""
        home = _home(env)
        moved = env.get("CLAUDE_CONFIG_DIR")
        # A relative folder means one below the working directory of the child, not of oneseat.
        config_dirs = _spellings(cwd, moved or os.path.join(home, _CONFIG_DIR))  # noqa: PTH118 - keeps `..` as it is written
        # Of the state file's folder the CLI composes nothing: as written comes first.
        state_dirs = _spellings(cwd, moved or str(home), composed=False)
        return cls(Path(cwd), home, config_dirs, state_dirs, managed_dir())

    @property
    def config_dir(self) -> Path:
        """The CLI's own folder."""
        return self.config_dirs[0]

    def global_configs(self) -> tuple[Path, ...]:
        """The CLI's own state files. The older name wins where both exist; both are looked at, in case that changes."""
        older = (folder / ".config.json" for folder in self.config_dirs)
        return *older, *(folder / ".claude.json" for folder in self.state_dirs)

    def managed_files(self) -> Iterator[Path]:
        """What an administrator, or the organisation's server, has set. It applies whatever the flags are."""
        yield self.managed_dir / "managed-settings.json"
        yield from map(Path, self.drop_in_files())
        yield from self.remote_settings()

    def remote_settings(self) -> tuple[Path, ...]:
        """What the organisation's server has set."""
        return tuple(folder / "remote-settings.json" for folder in self.config_dirs)

    @property
    def drop_in_dir(self) -> Path:
        """The folder of further files of the administrator's."""
        return self.managed_dir / "managed-settings.d"

    def drop_in_files(self) -> list[str]:
        """The files in that folder that the CLI reads."""
        return _drop_ins(str(self.drop_in_dir))

    def local_settings(self) -> tuple[Path, ...]:
        """The private settings of a working directory; 2.1.329 also reads those at the root of the repository."""
        folders = dict.fromkeys((self.cwd, _repository(self.cwd) or self.cwd))
        return tuple(folder / _CONFIG_DIR / "settings.local.json" for folder in folders)

    def project_settings(self) -> Path:
        """The shared settings of a working directory. Those of its parents are not read."""
        return self.cwd / _CONFIG_DIR / "settings.json"

    def user_settings(self) -> Path:
        """The user's settings."""
        return self.config_dir / "settings.json"

    def login_file(self) -> Path:
        """The stored login, where it is a file."""
        return self.config_dir / ".credentials.json"


def managed_dir() -> Path:
    """The folder of the administrator's settings. Device management can set more, which only the CLI itself can list."""
    if sys.platform == "darwin":
        return Path("/Library/Application Support/ClaudeCode")
    if sys.platform == "win32":
        return Path("C:\\Program Files\\ClaudeCode")
    return Path("/etc/claude-code")


def _spellings(cwd: str | Path, folder: str, *, composed: bool = True) -> tuple[Path, ...]:
    """A folder as the CLI spells it, as it is written, and in the other forms of Unicode: a file system keeps them apart."""
    # Node decodes names leniently: bytes that are not UTF-8 become U+FFFD.
    text = os.fsencode(folder).decode("utf-8", "replace")
    forms = [text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)]
    if composed:
        forms[0], forms[1] = forms[1], forms[0]
    # Node shortens `link/..` by its letters, the system follows the link.
    return tuple(
        dict.fromkeys(Path(cwd, form) for each in (*forms, folder) for form in (os.path.normpath(each), each))
    )


def _home(env: Mapping[str, str]) -> Path:
    named = env.get("USERPROFILE" if sys.platform == "win32" else "HOME")
    if named:
        return Path(named)
    try:
        return Path.home()
    except RuntimeError:
        # A container's user without an entry in the user database and without HOME has no home folder at all.
        return Path(os.sep)


def _drop_ins(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - ten times faster than a glob, and directly before a prompt
    except OSError:
        return []
    return sorted(
        f"{folder}{os.sep}{name}" for name in names if name.endswith(".json") and not name.startswith(".")
    )


def _repository(cwd: Path) -> Path | None:
    try:
        return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), None)
    except OSError:
        # A parent folder that this user may not look into; the CLI cannot either.
        return None
