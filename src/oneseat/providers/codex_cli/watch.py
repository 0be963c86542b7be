"""Whether the files that decide who pays for the official `codex` CLI are still the ones they were."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from oneseat.contract.facts import CodexLogin
from oneseat.providers.cli_common.stamps import Stamps, first_change, stamps

from .login import codex_home, codex_login, config_of

_ADMINISTRATOR_FOLDER = Path("/etc/codex")
#: An administrator's settings.
ADMINISTRATOR_FILES = tuple(
    _ADMINISTRATOR_FOLDER / name for name in ("config.toml", "managed_config.toml", "requirements.toml")
)


class Watch:
    """What decides who pays for one process with this environment and directory. Make it before the process is started.

    The CLI reads its settings when it starts, and again when a conversation begins, which waits for its MCP servers.
    """

    def __init__(self, env: Mapping[str, str], cwd: str) -> None:
        self._folder = folder = codex_home(env)
        files = (
            folder / "auth.json",
            folder / "config.toml",
            folder / "managed_config.toml",
            folder / ".env",
        )
        project = Path(cwd, ".codex", "config.toml")
        self._paths = tuple(map(str, (*files, project, _ADMINISTRATOR_FOLDER, *ADMINISTRATOR_FILES)))
        self._seen = self._look()

    def look(self) -> None:
        """Compare with what is found now from here on."""
        self._seen = self._look()

    def changed(self) -> str | None:
        """A file or folder whose change since the last ``look`` can change who pays; ``None`` without one."""
        before, contents = self._seen
        now = stamps(self._paths)
        if now == before:
            return None
        # The CLI itself writes its login when it renews it, and notes of its own into its settings.
        own = {os.fspath(self._folder / name) for name in ("auth.json", "config.toml")}
        others = {path for path in now if path not in own and now[path] != before[path]}
        if others or self._contents() != contents:
            return first_change(before, now)
        self._seen = now, contents
        return None

    def _look(self) -> tuple[Stamps, tuple[object, ...]]:
        # The stamps come first: a change while the files are read is noticed later.
        return stamps(self._paths), self._contents()

    def _contents(self) -> tuple[object, ...]:
        return *_decides(codex_login(self._folder)), config_of(self._folder)


def _decides(login: CodexLogin) -> tuple[object, ...]:
    return login.kind, login.auth_mode, login.has_key, login.account
