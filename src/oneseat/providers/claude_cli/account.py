"""What the official CLI says of its login and its settings, in answer to `initialize` and `get_settings`.

The answer to `get_settings` holds values, credentials among them. Only names leave this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oneseat.contract.facts import Account, CredentialSource, Scope

from .credentials import block_sources

#: The CLI's names for where settings come from. With `--setting-sources ""` only the first applies by itself; any other
#: means that something around the CLI added to its command line.
_ORIGINS: dict[str, tuple[Scope, str]] = {
    "policySettings": ("managed_settings", "managed settings"),
    "flagSettings": ("child", "--settings on the CLI's command line"),
    "userSettings": ("user_settings", "user settings, switched on again"),
    "projectSettings": ("project_settings", "project settings, switched on again"),
    "localSettings": ("local_settings", "local settings, switched on again"),
}
_ELSEWHERE: tuple[Scope, str] = ("child", "settings in effect inside the CLI")
#: Stands for an answer that is not text. It must not read as "no key" or "no token".
_STRANGE = "(not text)"


def account_of(opened: Mapping[str, Any], redact: Callable[[str], str] = str) -> Account | None:
    """The account in the answer to ``initialize``; ``None`` when the CLI named none.

    ``redact`` cleans its words, which become evidence: names are expected there, and a changed CLI may say more.
    """
    account = opened.get("account")
    if not isinstance(account, dict):
        return None
    return Account(
        token_source=_text(account.get("tokenSource"), redact),
        api_key_source=_text(account.get("apiKeySource"), redact),
        api_provider=_text(account.get("apiProvider"), redact),
        subscription=_text(account.get("subscriptionType"), redact),
    )


def settings_sources(settings: Mapping[str, Any]) -> tuple[CredentialSource, ...]:
    """What the answer to ``get_settings`` holds that could change who pays, each with where the CLI has it from."""
    found = [source for block, scope, place in _blocks(settings) for source in _sources(block, scope, place)]
    named = {source.name for source in found}
    in_effect = _sources(settings.get("effective"), *_ELSEWHERE)
    return (*found, *(source for source in in_effect if source.name not in named))


def _blocks(settings: Mapping[str, Any]) -> Iterator[tuple[object, Scope, str]]:
    listed = settings.get("sources")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            scope, place = _ORIGINS.get(str(entry.get("source")), _ELSEWHERE)
            yield entry.get("settings"), scope, place


def _sources(block: object, scope: Scope, place: str) -> tuple[CredentialSource, ...]:
    if not isinstance(block, dict):
        return ()
    env = block.get("env")
    values = {str(name): _value(value) for name, value in env.items()} if isinstance(env, dict) else {}
    return block_sources(values, [name for name, value in block.items() if value], scope, place)


def _value(value: object) -> str:
    # The CLI takes numbers and booleans as text and leaves null out (measured).
    return "" if value is None else str(value)


def _text(value: object, redact: Callable[[str], str]) -> str | None:
    if value is None:
        return None
    return redact(value) if isinstance(value, str) else _STRANGE
