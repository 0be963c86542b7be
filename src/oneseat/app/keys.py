"""The owner's API keys: list, store and remove them. No value is ever returned to a caller."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.keys import MAX_KEY_LENGTH, ApiKey
from oneseat.contract.providers import KeyProvider
from oneseat.contract.reports.keys import KeyList, KeyState
from oneseat.host.keys.keyring import OsKeyring
from oneseat.host.keys.store import KeyStore
from oneseat.installation import Installation
from oneseat.rules.inputs import api_keys
from oneseat.rules.inputs.api_keys import looks_like_key
from oneseat.settings.cross_checks import budget_contradiction
from oneseat.settings.editing import with_table, with_value
from oneseat.settings.keys import KEYS

from .settings import settings_text, write_settings

__all__ = [
    "MAX_KEY_LENGTH",
    "ApiKey",
    "KeyChange",
    "change_key",
    "keyring_problem",
    "list_keys",
    "looks_like_key",
    "new_key",
    "remove_key",
]

_OF_THE_KEYRING = ("provider.keyring_missing", "provider.keyring_unusable")


class KeyChange:
    """A key that is about to be set; everything but its value is known to be right."""

    def __init__(self, here: Installation, key: ApiKey, text: str | None) -> None:
        self.key = key
        self._here = here
        self._text = text
        self.settings_file = str(here.settings_file)

    @property
    def takes_value(self) -> bool:
        """Whether oneseat keeps the key. It does not where a variable holds it or none is needed."""
        return self.key.env is None and self.key.needed

    def store(self, value: str | None) -> tuple[str | None, bool]:
        """Keep the value, then write the settings. Returns a doubt about the value, and whether the settings were changed.

        Raises ``OneseatError`` where the value is no API key or cannot be kept; then nothing has changed.
        """
        doubt = None
        if value is not None:
            value = value.strip()
            key_store(self._here).put(self.key, value)
            doubt = api_keys.key_warning(self.key, value)
        if self._text is not None:
            write_settings(self._here, self._text)
        return doubt, self._text is not None


def change_key(here: Installation, name: str, chosen: Mapping[str, str | None]) -> KeyChange:
    """Prepare to set a key. ``chosen`` are ``provider``, ``env``, ``file`` and ``base_url`` as far as they were given.

    Raises ``UsageError`` for what the settings could not hold, or already say otherwise.
    """
    given = {option: _checked(option, value) for option, value in chosen.items() if value is not None}
    known = here.keys.get(name)
    if known is None:
        return _first_of_its_name(here, name, given)
    added = {option: value for option, value in given.items() if getattr(known, option) != value}
    if not added:
        return KeyChange(here, known, None)
    if added.keys() - {"env", "file"} or len(added) > 1 or known.env is not None or known.file is not None:
        raise _arguments(
            f"`keys.{name}` is already in your settings with different values: `{', '.join(sorted(added))}`",
            f"Change it there: `{here.settings_file}`",
        )
    ((option, value),) = added.items()
    text = with_value(settings_text(here), ("keys", name), option, value)
    return KeyChange(here, msgspec.structs.replace(known, **added), _writable(here, text, name))


def _first_of_its_name(here: Installation, name: str, given: dict[str, Any]) -> KeyChange:
    if "provider" not in given:
        options = "".join(
            f" --{option.replace('_', '-')} {shlex.quote(str(value))}" for option, value in given.items()
        )
        raise _arguments(
            f"No such API key: `{name}`\n  a new one needs its provider: {', '.join(get_args(KeyProvider))}",
            f"Name its provider: `oneseat key set {shlex.quote(name)} --provider anthropic{options}`",
        )
    key = new_key(name, given)
    text = with_table(settings_text(here), ("keys", name), given)
    return KeyChange(here, key, _writable(here, text, name))


def new_key(name: str, chosen: Mapping[str, Any]) -> ApiKey:
    """A key with these settings. Raises ``UsageError`` for a value that does not fit, and for values that do not fit together."""
    if api_keys.looks_like_key(name):
        raise _arguments(
            "An API key was given as a name, which would be written to your settings file",
            "Choose another name: `oneseat init --key-name work`",
        )
    if not KEYS.names.fullmatch(name):
        raise _arguments(
            f"Not a valid name for an API key: `{name}`\n  letters, digits, dots, dashes and underscores",
            None,
        )
    given = {option: _checked(option, value) for option, value in chosen.items() if value is not None}
    found = KEYS.contradiction(name, given) or budget_contradiction(given)
    if found is not None:
        raise _arguments(f"This API key cannot be used: `{name}`\n  {found.why}", found.hint)
    return KEYS.make(name=name, **given)


def keyring_problem(here: Installation) -> ErrorInfo | None:
    """Why no key can be kept in the keyring of this machine; ``None`` when one can. May wait for a person to unlock it."""
    nobody = ApiKey(name="nobody", provider="anthropic")
    problem = _problem(key_store(here, {nobody.name: nobody}).get, nobody.name)
    return problem if problem is not None and problem.code in _OF_THE_KEYRING else None


def list_keys(here: Installation) -> KeyList:
    """Every key of the settings, in their order, and whether it is there. Raises ``UsageError`` for settings that are wrong."""
    store = key_store(here)
    # A locked keyring can wait a minute for its password: ask it once.
    unusable: ErrorInfo | None = None
    states = []
    for key in here.keys.values():
        in_keyring = key.needed and key.env is None and key.file is None
        problem = unusable if in_keyring else None
        if problem is None:
            problem = _problem(store.get, key.name)
        if in_keyring and problem is not None and problem.code in _OF_THE_KEYRING:
            unusable = problem
        states.append(_state(key, problem))
    return KeyList(keys=tuple(states))


def remove_key(here: Installation, name: str) -> tuple[bool, bool]:
    """Delete a key where oneseat keeps it. Returns whether there was one, and whether the settings still name it.

    Raises ``OneseatError`` where it is not oneseat's to delete, or cannot be.
    """
    return key_store(here).remove(name), name in here.keys


def key_store(here: Installation, keys: Mapping[str, ApiKey] | None = None) -> KeyStore:
    """Where API keys are read; the redactor knows each from then on. ``keys`` are those that may be asked for, all by default."""
    # Another home is another owner as far as oneseat knows: a test must not replace the real key of the same name.
    home = here.paths.home
    keyring = OsKeyring("oneseat" if home is None else f"oneseat:{home}")
    return KeyStore(
        here.keys if keys is None else keys, here.env, keyring, _refuse_bad_key, here.redactor.add_secret
    )


def _refuse_bad_key(key: ApiKey, value: str) -> None:
    error = api_keys.key_error(key, value)
    if error is not None:
        raise OneseatError(error)


def _problem(get: Any, name: str) -> ErrorInfo | None:
    try:
        get(name)
    except OneseatError as error:
        return error.info
    return None


def _state(key: ApiKey, problem: ErrorInfo | None) -> KeyState:
    absent = problem is not None and problem.code == "provider.no_key"
    there = problem is None and key.needed
    return KeyState(
        name=key.name,
        provider=key.provider,
        place=key.place,
        needed=key.needed,
        present=True if there else False if absent else None,
        credits=key.credits,
        base_url=key.base_url,
        problem=None if absent else problem,
    )


def _checked(option: str, value: Any) -> Any:
    check, _ = KEYS.keys[option]
    try:
        return check.parse(value)
    except ValueError:
        shown = "" if check.secretive or check.hidden else f": `{value}`"
        raise _arguments(
            f"Invalid value for `{option}`{shown}\n  expected {check.expected}", check.hint
        ) from None


def _writable(here: Installation, text: str | None, name: str) -> str:
    if text is None:
        path = here.settings_file
        raise _arguments(
            f"Cannot add an API key to this settings file: `{path}`",
            f"Write `[keys.{name}]` as a table of its own",
        )
    return text


def _arguments(message: str, hint: str | None) -> UsageError:
    return UsageError(ErrorInfo(code="usage.arguments", message=message, hint=hint))
