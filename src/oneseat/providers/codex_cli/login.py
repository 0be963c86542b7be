"""Facts about the login of the official `codex` CLI: where it is stored, its kind and its age. Never the login itself."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from oneseat.contract.billing_names import CODEX_NAMES
from oneseat.contract.facts import CodexLogin, CredentialSource
from oneseat.host.paths import expand_home
from oneseat.providers.cli_common.environment_scan import scan_dotenv_file, scan_environment
from oneseat.providers.cli_common.safe_read import UnreadableError, decode, read_file
from oneseat.providers.cli_common.stamps import Stamps, first_change, stamps

#: Where the CLI stores its login, unless CODEX_HOME is set.
_FOLDER = ".codex"
_LOGIN_FILE = "auth.json"
_CONFIG_FILE = "config.toml"
_STORE = "cli_auth_credentials_store"
_ADMINISTRATOR_FOLDER = Path("/etc/codex")
#: An administrator's settings.
ADMINISTRATOR_FILES = tuple(
    _ADMINISTRATOR_FOLDER / name for name in ("config.toml", "managed_config.toml", "requirements.toml")
)
#: Settings that name an address the login is sent to.
ADDRESSES = ("openai_base_url", "chatgpt_base_url")
_NOTHING = frozenset({b"", b"null", b'""'})


class _Tokens(msgspec.Struct):
    """The presence of a refresh token: it stays undecoded and never becomes a string. The account's id is not secret."""

    refresh_token: msgspec.Raw = msgspec.Raw(b"")
    account_id: str | None = None


class _LoginFile(msgspec.Struct):
    auth_mode: str | None = None
    key: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="OPENAI_API_KEY")
    tokens: _Tokens | None = None
    last_refresh: str | None = None


def codex_home(env: Mapping[str, str]) -> Path:
    """The CLI's configuration folder in this environment."""
    moved = env.get("CODEX_HOME")
    if moved:
        return Path(moved)
    home = env.get("HOME") or env.get("USERPROFILE")
    return (Path(home) if home else expand_home("~")) / _FOLDER


def codex_login(folder: Path) -> CodexLogin:
    """The login that the CLI would use, given its folder."""
    path = folder / _LOGIN_FILE
    try:
        content = read_file(path)
        if content is None:
            keyring = config_of(folder).get(_STORE) in {"keyring", "auto"}
            return CodexLogin(kind="keyring" if keyring else "none", place=str(path))
        stored = decode(content[0], _LoginFile)
    except UnreadableError as error:
        return CodexLogin(kind="none", place=str(path), problem=str(error))
    tokens = stored.tokens
    return CodexLogin(
        kind="file",
        place=str(path),
        auth_mode=stored.auth_mode,
        has_key=bytes(stored.key) not in _NOTHING,
        has_refresh_token=tokens is not None and bytes(tokens.refresh_token) not in _NOTHING,
        refreshed_at=_moment(stored.last_refresh),
        file_mode=content[1] if os.name == "posix" else None,
        account=_hash(tokens.account_id) if tokens is not None and tokens.account_id else None,
    )


def withheld_sources(
    env: Mapping[str, str], folder: Path, caller: tuple[CredentialSource, ...] | None = None
) -> tuple[CredentialSource, ...]:
    """The credential sources withheld from the CLI: variables of the caller and of the `.env` file in the CLI's folder.

    ``caller`` replaces our own environment by the sources in that of a caller in another process.
    """
    if caller is None:
        found = scan_environment(env, CODEX_NAMES)
    else:
        found = tuple(source for source in caller if CODEX_NAMES.find(source.name) is not None)
    return (*found, *scan_dotenv_file(folder / ".env", CODEX_NAMES))


def moved_addresses(folder: Path) -> tuple[str, ...]:
    """The settings in the CLI's folder that send the login to another address, which happens as soon as the CLI starts."""
    settings = config_of(folder)
    return tuple(name for name in ADDRESSES if name in settings)


def forces_a_login(folder: Path) -> bool:
    """Whether the CLI's settings force a kind of login: the CLI then deletes a stored login of another kind."""
    return "forced_login_method" in config_of(folder)


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


def config_of(folder: Path) -> dict[str, object]:
    """The settings in the CLI's folder; none where they cannot be read."""
    try:
        content = read_file(folder / _CONFIG_FILE)
        return tomllib.loads(content[0].decode("utf-8")) if content else {}
    except (UnreadableError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # The CLI itself reports the error in its answer to `config/read`.
        return {}


def _hash(account: str) -> str:
    return hashlib.sha256(account.encode("utf-8", "replace")).hexdigest()[:16]


def _moment(stamp: str | None) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except (ValueError, OverflowError):
        return None


def _decides(login: CodexLogin) -> tuple[object, ...]:
    return login.kind, login.auth_mode, login.has_key, login.account
