"""The keyring of the operating system, through the `keyring` library, which is imported when a key is needed."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

from oneseat.contract.errors import ErrorInfo, OneseatError

#: The keyring may ask for a password; without a limit, a dialog on a screen that nobody sees would wait for ever.
_LIMIT_S = 60.0
#: Back ends of this package store keys as plain text, or encrypted with a known password.
_NOT_PRIVATE = "keyrings.alt"
_REASONS = {
    "NoKeyringError": "this session has no keyring service, as on a server without a desktop",
    "KeyringLocked": "it is locked",
    "InitError": "it cannot be opened",
}


class OsKeyring:
    """The keys of one oneseat home, by name. Every method may wait for a password prompt and raises ``OneseatError``.

    Codes: ``provider.keyring_missing`` when the library is not installed, ``provider.keyring_unusable`` for every problem of
    the keyring itself. No message quotes the keyring's error, which could contain the key.
    """

    def __init__(self, service: str) -> None:
        self._service = service

    def get(self, name: str) -> str | None:
        """The key, or ``None``."""
        value = self._ask(name, lambda keyring: keyring.get_password(self._service, name))
        return value if isinstance(value, str) else None

    def put(self, name: str, value: str) -> None:
        """Store the key, replacing an existing one."""
        self._ask(name, lambda keyring: keyring.set_password(self._service, name, value))

    def remove(self, name: str) -> bool:
        """Delete the key; returns whether there was one."""
        if self.get(name) is None:
            return False
        self._ask(name, lambda keyring: keyring.delete_password(self._service, name))
        return True

    def _ask(self, name: str, work: Callable[[Any], object]) -> object:
        """Call ``work`` in a daemon thread, so that a keyring that hangs cannot block the exit."""
        answers: list[object] = []
        failures: list[BaseException] = []

        def in_thread() -> None:
            try:
                answers.append(work(_library(name)))
            except BaseException as error:  # noqa: BLE001 - re-raised in the waiting thread, whatever it is
                failures.append(error)

        thread = threading.Thread(target=in_thread, name="oneseat-keyring", daemon=True)
        thread.start()
        thread.join(_LIMIT_S)
        if failures:
            raise _explained(failures[0], name)
        if not answers:
            raise _unusable(
                name, f"it did not respond within {_LIMIT_S:g} s; it may be waiting for a password"
            )
        return answers[0]


def _library(name: str) -> Any:
    """The library, with a back end that keeps keys private."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError as error:
        if error.name != "keyring":  # a back end named in the library's own settings
            raise
        raise OneseatError(
            ErrorInfo(
                code="provider.keyring_missing",
                message=f"The keyring cannot be used: `keys.{name}`\n  the `keyring` library is not installed",
                hint="Install it: `pip install 'oneseat[keys]'`",
            )
        ) from None
    chosen = keyring.get_keyring()
    for backend in getattr(chosen, "backends", (chosen,)):
        if type(backend).__module__.startswith(_NOT_PRIVATE):
            raise _unusable(name, f"`{type(backend).__name__}` would store the key in a readable file")
    return keyring


def _explained(error: BaseException, name: str) -> BaseException:
    if isinstance(error, OneseatError) or not isinstance(error, Exception):
        return error
    kind = type(error).__name__
    return _unusable(name, _REASONS.get(kind, f"it failed with `{kind}`"))


def _unusable(name: str, why: str) -> OneseatError:
    return OneseatError(
        ErrorInfo(
            code="provider.keyring_unusable",
            message=f"The keyring of this machine cannot be used: `keys.{name}`\n  {why}; "
            f'a key can also be in a variable: `env = "NAME"` in `[keys.{name}]`',
        )
    )
