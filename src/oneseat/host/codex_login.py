"""What is known of the login of the official `codex` CLI: where it lives, what it is, its age. Never the login itself."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from oneseat.contract.codex_names import CODEX_LOGIN, codex_name
from oneseat.contract.facts import CodexLogin, CredentialSource

from .credentials.environment import scan_environment
from .credentials.reading import UnreadableError, decode, read_file

#: Where the CLI keeps its login, unless CODEX_HOME says otherwise.
_FOLDER = ".codex"
_LOGIN_FILE = "auth.json"
_CONFIG_FILE = "config.toml"
_STORE = "cli_auth_credentials_store"
_ASSIGNMENT = re.compile(
    rb"^[ \t]*+(?:export[ \t]++)?+([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+(?![\r\n#])\S", re.MULTILINE
)
#: Settings that name an address the login is sent to.
ADDRESSES = ("openai_base_url", "chatgpt_base_url")
_NOTHING = frozenset({b"", b"null", b'""'})


class _Tokens(msgspec.Struct):
    """Only whether there is a token to renew with: undecoded, it never becomes text. The account's id is no token."""

    refresh_token: msgspec.Raw = msgspec.Raw(b"")
    account_id: str | None = None


class _LoginFile(msgspec.Struct):
    auth_mode: str | None = None
    key: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="OPENAI_API_KEY")
    tokens: _Tokens | None = None
    last_refresh: str | None = None


def codex_home(env: Mapping[str, str]) -> Path:
    """The CLI's own folder under this environment."""
    moved = env.get("CODEX_HOME")
    if moved:
        return Path(moved)
    home = env.get("HOME") or env.get("USERPROFILE")
    return (Path(home) if home else Path.home()) / _FOLDER


def codex_login(folder: Path) -> CodexLogin:
    """What the CLI would sign in with, given its folder."""
    path = folder / _LOGIN_FILE
    try:
        content = read_file(path)
        if content is None:
            keyring = _config(folder / _CONFIG_FILE).get(_STORE) in {"keyring", "auto"}
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


def around_codex(
    env: Mapping[str, str], folder: Path, caller: tuple[CredentialSource, ...] | None = None
) -> tuple[CredentialSource, ...]:
    """What could change who pays and is kept from the CLI: the caller's variables, and those of the `.env` in its folder.

    ``caller`` is what the environment of a caller in another process holds, in place of our own.
    """
    found = scan_environment(env, codex_name) if caller is None else caller
    names = [
        source
        for source in found
        if codex_name(source.name) is not None and source.name.upper() not in CODEX_LOGIN
    ]
    return (*names, *_dotenv(folder / ".env"))


def moved_addresses(folder: Path) -> tuple[str, ...]:
    """The settings of the CLI's own folder that send the login elsewhere. It does so as soon as it starts, before any question."""
    settings = _config(folder / _CONFIG_FILE)
    return tuple(name for name in ADDRESSES if name in settings)


def forces_a_login(folder: Path) -> bool:
    """Whether the CLI's own settings force a kind of login: one that does not fit it then deletes the stored one."""
    return "forced_login_method" in _config(folder / _CONFIG_FILE)


def _dotenv(path: Path) -> tuple[CredentialSource, ...]:
    try:
        content = read_file(path)
    except UnreadableError:
        return (CredentialSource(name=path.name, kind="unreadable", scope="dotenv", place=str(path)),)
    names = [match[1].decode("ascii") for match in _ASSIGNMENT.finditer(content[0])] if content else []
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope="dotenv", place=str(path))
        for name in dict.fromkeys(names)
        if (entry := codex_name(name)) is not None and entry.pays
    )


def _config(path: Path) -> dict[str, object]:
    try:
        content = read_file(path)
        return tomllib.loads(content[0].decode("utf-8")) if content else {}
    except (UnreadableError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # What is wrong with it, the CLI says when it is asked for the settings in force.
        return {}


def _hash(account: str) -> str:
    return hashlib.sha256(account.encode("utf-8", "replace")).hexdigest()[:16]


def _moment(stamp: str | None) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except (ValueError, OverflowError):
        return None
