"""Scans the files that could decide who pays. It reads names only; a broken file is reported as a source, not raised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.facts import CredentialSource, Scope
from oneseat.providers.cli_common.environment_scan import scan_dotenv_file, scan_environment
from oneseat.providers.cli_common.safe_read import UnreadableError, decode, read_file

from .paths import ClaudePaths
from .settings_block import block_sources, env_block, is_given

#: The names of the files that tools for developers read variables from.
_DOTENV = (".env", ".env.local")


class _Settings(msgspec.Struct, rename="camel"):
    """The part of a settings file that can decide who pays, undecoded. The CLI's state file has the same shape."""

    env: msgspec.Raw = msgspec.Raw(b"")
    api_key_helper: msgspec.Raw = msgspec.Raw(b"")
    primary_api_key: msgspec.Raw = msgspec.Raw(b"")


def scan(
    env: Mapping[str, str], cwd: str | Path, caller: tuple[CredentialSource, ...] | None = None
) -> tuple[CredentialSource, ...]:
    """Everything around the caller that could change who pays and is withheld from the child.

    The environment, the user's and the working directory's settings, and `.env` files (which the CLI does not read, but a
    script around it may). ``caller`` lists what the environment of a caller in another process holds, in place of our own.
    """
    places = ClaudePaths.find(env, cwd)
    # Skip what only matters to other CLIs.
    given = tuple(source for source in caller or () if CLAUDE_NAMES.find(source.name) is not None)
    around = scan_environment(env, CLAUDE_NAMES) if caller is None else given
    return (*around, *scan_settings_files(places), *scan_dotenv(places))


def scan_settings_files(places: ClaudePaths) -> tuple[CredentialSource, ...]:
    """What the user's, the project's and the local settings hold. Where two are one file, it counts once."""
    files: dict[Path, Scope] = {places.user_settings(): "user_settings"}
    files.setdefault(places.project_settings(), "project_settings")
    for path in places.local_settings():
        files.setdefault(path, "local_settings")
    return tuple(source for path, scope in files.items() for source in _settings_file(path, scope))


def scan_dotenv(places: ClaudePaths) -> tuple[CredentialSource, ...]:
    """What the `.env` files of the working directory and of the home folder hold."""
    folders = dict.fromkeys((places.cwd, places.home))
    return tuple(
        source
        for folder in folders
        for name in _DOTENV
        for source in scan_dotenv_file(folder / name, CLAUDE_NAMES)
    )


def reaching(child_env: Mapping[str, str], cwd: str | Path) -> tuple[CredentialSource, ...]:
    """What a child with this environment reads whatever its flags are, so that oneseat cannot withhold it.

    Managed settings, and the CLI's own state file: its `env` block applies with every `--setting-sources`, and neither
    `account` nor `get_settings` shows an address or a header that is set there (measured on 2.1.197 and 2.1.329).
    """
    return scan_unkeepable(ClaudePaths.find(child_env, cwd))


def scan_unkeepable(places: ClaudePaths) -> tuple[CredentialSource, ...]:
    """What the managed settings and the CLI's own state file in these places hold."""
    managed = [
        source for path in places.managed_files() for source in _settings_file(path, "managed_settings")
    ]
    state = [source for path in places.global_configs() for source in _state_file(path)]
    return (*managed, *state)


def _settings_file(path: Path, scope: Scope) -> tuple[CredentialSource, ...]:
    try:
        settings = _read(path)
    except UnreadableError:
        return (_unreadable(path, scope),)
    if settings is None:
        return ()
    names = ["apiKeyHelper"] if is_given(settings.api_key_helper) else []
    return block_sources(env_block(settings.env), names, scope, str(path))


def _state_file(path: Path) -> tuple[CredentialSource, ...]:
    try:
        settings = _read(path)
    except UnreadableError:
        return (_unreadable(path, "global_config"),)
    if settings is None:
        return ()
    # A key that was made when this account signed in for API billing. An apiKeyHelper here has no effect (measured).
    stored = (
        [CredentialSource(name="primaryApiKey", kind="api_key", scope="global_config", place=str(path))]
        if is_given(settings.primary_api_key)
        else []
    )
    return (*stored, *block_sources(env_block(settings.env), (), "global_config", str(path)))


def _read(path: Path) -> _Settings | None:
    content = read_file(path)
    if content is None or not content[0].strip():
        return None
    return decode(content[0], _Settings)


def _unreadable(path: Path, scope: Scope) -> CredentialSource:
    return CredentialSource(name=path.name, kind="unreadable", scope=scope, place=str(path))
