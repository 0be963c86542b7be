"""Where the official CLI keeps its files on this platform, measured on claude 2.1.197 and 2.1.329 (Linux)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

#: The folder that holds the login and the user's settings, below the home folder.
_CONFIG_DIR = ".claude"


class ClaudePaths(msgspec.Struct, frozen=True):
    """The folders the CLI reads under one environment: the working directory, home, its own, and the administrator's."""

    cwd: Path
    home: Path
    config_dir: Path
    #: The folder of the CLI's own state file: the home folder, unless the configuration was moved.
    state_dir: Path
    managed_dir: Path

    @classmethod
    def find(cls, env: Mapping[str, str], cwd: str | Path) -> ClaudePaths:
        """The places under ``env`` for a CLI that is started in ``cwd``."""
        home = _home(env)
        moved = env.get("CLAUDE_CONFIG_DIR")
        # A relative folder means one below the working directory of the child, not of oneseat.
        config_dir = Path(cwd, moved) if moved else home / _CONFIG_DIR
        return cls(Path(cwd), home, config_dir, config_dir if moved else home, managed_dir())

    def global_configs(self) -> tuple[Path, ...]:
        """The CLI's own state files. The older name wins where both exist; both are looked at, in case that changes."""
        return self.config_dir / ".config.json", self.state_dir / ".claude.json"

    def managed_files(self) -> Iterator[Path]:
        """What an administrator, or the organisation's server, has set. It applies whatever the flags are."""
        yield self.managed_dir / "managed-settings.json"
        yield from _drop_ins(self.managed_dir / "managed-settings.d")
        yield self.config_dir / "remote-settings.json"

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


def _home(env: Mapping[str, str]) -> Path:
    named = env.get("USERPROFILE" if sys.platform == "win32" else "HOME")
    if named:
        return Path(named)
    try:
        return Path.home()
    except RuntimeError:
        # A container's user without an entry in the user database and without HOME has no home folder at all.
        return Path(os.sep)


def _drop_ins(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    except OSError:
        return []


def _repository(cwd: Path) -> Path | None:
    try:
        return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), None)
    except OSError:
        # A parent folder that this user may not look into; the CLI cannot either.
        return None
