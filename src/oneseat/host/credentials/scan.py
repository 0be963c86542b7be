"""Looks through the files that could decide who pays. Only names are looked at; a broken file is a fact, not an error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from oneseat.contract.billing_names import billing_name
from oneseat.contract.facts import CredentialSource, Scope

from .environment import scan_environment
from .places import Places
from .reading import UnreadableError, decode, read_file
from .settings_block import block_sources, env_block, is_given

#: The names of the files that tools for developers read variables from.
_DOTENV = (".env", ".env.local")
#: `NAME=value`, `export NAME=value`; the value is looked at only far enough to see that there is one.
_ASSIGNMENT = re.compile(
    rb"^[ \t]*+(?:export[ \t]++)?+([A-Za-z_][A-Za-z0-9_]*+)[ \t]*+=[ \t]*+(?![\r\n#])\S", re.MULTILINE
)


class _Settings(msgspec.Struct, rename="camel"):
    """The part of a settings file that can decide who pays, undecoded. The CLI's state file has the same shape."""

    env: msgspec.Raw = msgspec.Raw(b"")
    api_key_helper: msgspec.Raw = msgspec.Raw(b"")
    primary_api_key: msgspec.Raw = msgspec.Raw(b"")


def scan(
    env: Mapping[str, str], cwd: str | Path, caller: tuple[CredentialSource, ...] | None = None
) -> tuple[CredentialSource, ...]:
    """Everything around the caller that could change who pays and is kept from the child.

    The environment, the user's and the working directory's settings, and `.env` files (which the CLI does not read, but a
    script around it may). ``caller`` is what the environment of a caller in another process holds, in place of our own.
    """
    places = Places.find(env, cwd)
    # What could pay for a run of another CLI is not this one's matter.
    given = tuple(source for source in caller or () if billing_name(source.name) is not None)
    around = scan_environment(env) if caller is None else given
    return (*around, *scan_settings_files(places), *scan_dotenv(places))


def scan_settings_files(places: Places) -> tuple[CredentialSource, ...]:
    """What the user's, the project's and the local settings hold. Where two are one file, it counts once."""
    files: dict[Path, Scope] = {places.user_settings(): "user_settings"}
    files.setdefault(places.project_settings(), "project_settings")
    for path in places.local_settings():
        files.setdefault(path, "local_settings")
    return tuple(source for path, scope in files.items() for source in _settings_file(path, scope))


def scan_dotenv(places: Places) -> tuple[CredentialSource, ...]:
    """What the `.env` files of the working directory and of the home folder hold."""
    folders = dict.fromkeys((places.cwd, places.home))
    return tuple(source for folder in folders for name in _DOTENV for source in _dotenv_file(folder / name))


def reaching(child_env: Mapping[str, str], cwd: str | Path) -> tuple[CredentialSource, ...]:
    """What a child with this environment reads whatever its flags are, and oneseat therefore cannot keep from it.

    Managed settings, and the CLI's own state file: its `env` block applies with every `--setting-sources`, and neither
    `account` nor `get_settings` shows an address or a header that is set there (measured on 2.1.197 and 2.1.329).
    """
    return scan_unkeepable(Places.find(child_env, cwd))


def scan_unkeepable(places: Places) -> tuple[CredentialSource, ...]:
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


def _dotenv_file(path: Path) -> tuple[CredentialSource, ...]:
    try:
        content = read_file(path)
    except UnreadableError:
        return (_unreadable(path, "dotenv"),)
    names = [match[1].decode("ascii") for match in _ASSIGNMENT.finditer(content[0])] if content else []
    return tuple(
        CredentialSource(name=name, kind=entry.kind, scope="dotenv", place=str(path))
        for name in dict.fromkeys(names)
        if (entry := billing_name(name)) is not None and entry.pays
    )


def _read(path: Path) -> _Settings | None:
    content = read_file(path)
    if content is None or not content[0].strip():
        return None
    return decode(content[0], _Settings)


def _unreadable(path: Path, scope: Scope) -> CredentialSource:
    return CredentialSource(name=path.name, kind="unreadable", scope=scope, place=str(path))
