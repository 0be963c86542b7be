"""What is known of the seat's login: where it lives, until when it is good, what plan it names. Never the login itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from oneseat.contract.facts import LoginFacts
from oneseat.providers.cli_common.safe_read import UnreadableError, decode, read_file

_LOGIN_FILE = ".credentials.json"
_TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 - the name of the variable
_QUOTES = frozenset("\"'`")
_API_KEY = "sk-ant-api"
#: Tokens have about a hundred characters; how many exactly is the vendor's to change.
_SHORTEST_TOKEN = 40
#: The end of a made-up login, in milliseconds since the epoch: the year 2100, so that the CLI never tries to renew it.
_FAR_FUTURE_MS = 4_102_444_800_000


class _Login(msgspec.Struct, rename="camel"):
    """The fields that may be read. The decoder skips the tokens beside them, so they never become text in memory."""

    expires_at: int | float | None = None
    scopes: tuple[str, ...] | None = None
    subscription_type: str | None = None
    rate_limit_tier: str | None = None


class _LoginFile(msgspec.Struct, rename="camel"):
    claude_ai_oauth: _Login | None = None


def login_facts(env: Mapping[str, str], config_dir: Path) -> LoginFacts:
    """What the child would sign in with. A token in the environment wins over a stored login, as it does in the CLI."""
    if env.get(_TOKEN):
        return LoginFacts(kind="token", place=_TOKEN)
    path = config_dir / _LOGIN_FILE
    try:
        content = read_file(path)
        if content is None:
            return _no_file(path)
        login = decode(content[0], _LoginFile).claude_ai_oauth
    except UnreadableError as error:
        return LoginFacts(kind="none", place=str(path), problem=str(error))
    if login is None:
        return LoginFacts(kind="none", place=str(path), problem="it holds no subscription login")
    return LoginFacts(
        kind="file",
        place=str(path),
        expires_at_ms=int(login.expires_at) if login.expires_at is not None else None,
        scopes=login.scopes or (),
        subscription=login.subscription_type,
        rate_limit_tier=login.rate_limit_tier,
        mode=content[1] if os.name == "posix" else None,
    )


def token_fault(env: Mapping[str, str]) -> str | None:
    """Why a token in the environment cannot be one that `claude setup-token` printed; ``None`` when it may be, or is not there.

    Looks at its characters and its length, and says nothing of it but what is wrong.
    """
    token = env.get(_TOKEN)
    if not token:
        return None
    if any(character.isspace() for character in token):
        return "it contains a space or a line break: a long line is split when it is copied from a terminal"
    if not (token.isascii() and token.isprintable()) or not _QUOTES.isdisjoint(token):
        return "it contains a character that tokens do not have, such as a quotation mark"
    if token.startswith(_API_KEY):
        return "it is an API key, which is billed by use"
    return "it is too short: part of it is missing" if len(token) < _SHORTEST_TOKEN else None


def write_simulated_login(config_dir: Path, token: str) -> None:
    """Store a made-up login with ``token`` in ``config_dir``, as the CLI stores a real one. Raises ``OSError``.

    Without the scope `user:profile` the CLI has no reason to ask the vendor who this is.
    """
    login = {
        "accessToken": token,
        "expiresAt": _FAR_FUTURE_MS,
        "scopes": ["user:inference"],
        "subscriptionType": "max",
        "rateLimitTier": "default_claude_max_20x",
    }
    descriptor = os.open(config_dir / _LOGIN_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode({"claudeAiOauth": login}))


def _no_file(path: Path) -> LoginFacts:
    if sys.platform == "darwin":
        # Reading the keychain would ask the owner for permission, and would hand over the tokens.
        return LoginFacts(kind="keychain", place="keychain")
    return LoginFacts(kind="none", place=str(path))
