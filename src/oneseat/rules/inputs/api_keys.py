"""Checks whether a value may be used as an API key, by its form only. No message contains any part of the value."""

from __future__ import annotations

import re

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.keys import MAX_KEY_LENGTH, ApiKey
from oneseat.contract.providers import KeyProvider

_SHORTEST = 8
#: A name may start like a key, such as `sk-work`; a key is longer.
_LONGEST_NAME = 16
_TYPED = re.compile(r"[\x21-\x7e]+", re.ASCII)
#: Subscription logins: tokens of `claude setup-token` and of a stored login. No API accepts them.
_SEAT_TOKEN = re.compile(r"sk-ant-(?:oat|ort|sid)")
#: A signed token, such as a ChatGPT login. The owner's own gateway may use such tokens as keys.
_SIGNED = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.")
_GOOGLE_LOGIN = re.compile(r"(?:ya29|1//)[.A-Za-z0-9]")
_BEGINNINGS: dict[KeyProvider, re.Pattern[str]] = {
    "anthropic": re.compile(r"sk-ant-"),
    "openai": re.compile(r"sk-(?!ant-)"),
    "gemini": re.compile(r"AIza|AQ\."),
}


def key_error(key: ApiKey, value: str) -> ErrorInfo | None:
    """Why ``value`` must not be used as this key; ``None`` when it may."""
    if _is_login(key, value):
        return ErrorInfo(
            code="policy.login_as_key",
            message=f"A subscription login is not an API key: `keys.{key.name}`\n"
            "  the vendors' terms allow such a token only in their own programs",
            hint=f"Create an API key in the vendor's console, then: `oneseat key set {key.name}`",
        )
    why = _form(value)
    if why is None:
        return None
    return ErrorInfo(
        code="provider.bad_key",
        message=f"Not an API key: `keys.{key.name}`\n  from {key.place}; {why}",
        hint=f"Copy it again and set it: `oneseat key set {key.name}`" if key.env is None else None,
    )


def key_warning(key: ApiKey, value: str) -> str | None:
    """Why ``value`` looks like another vendor's key. Only a warning: the owner's own gateway may use any form."""
    beginning = _BEGINNINGS.get(key.provider)
    if key.base_url is not None or beginning is None or beginning.match(value):
        return None
    others = [name for name, pattern in _BEGINNINGS.items() if pattern.match(value)]
    seen = (
        f"it begins like a key of `{others[0]}`" if others else "it does not begin like that provider's keys"
    )
    return f"the key is to be sent to `{key.provider}`, but {seen}"


def looks_like_key(text: str) -> bool:
    """Whether ``text``, given as a name, is more likely a key or login typed in the wrong place."""
    beginnings = (*_BEGINNINGS.values(), _SEAT_TOKEN, _SIGNED, _GOOGLE_LOGIN)
    return len(text) > _LONGEST_NAME and any(pattern.match(text) for pattern in beginnings)


def _is_login(key: ApiKey, value: str) -> bool:
    if _SEAT_TOKEN.match(value):
        return True
    if key.base_url is not None:
        return False
    return bool(_SIGNED.match(value) or _GOOGLE_LOGIN.match(value))


def _form(value: str) -> str | None:
    if len(value) < _SHORTEST:
        return f"it has fewer than {_SHORTEST} characters"
    if len(value) > MAX_KEY_LENGTH:
        return f"it has more than {MAX_KEY_LENGTH} characters"
    if not _TYPED.fullmatch(value):
        return "it contains a space, a line break or a character that keys do not have"
    return None
