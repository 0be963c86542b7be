"""Reads and stores API keys where each key's settings say: keyring, environment variable or private file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.keys import ApiKey

from .file import read_key_file, remove_key_file, write_key_file

if sys.platform != "win32":
    import resource


class Keyring(Protocol):
    """The keyring of the operating system."""

    def get(self, name: str) -> str | None:
        """The key, or ``None``."""

    def put(self, name: str, value: str) -> None:
        """Store a key."""

    def remove(self, name: str) -> bool:
        """Delete a key; returns whether there was one."""


class KeyStore:
    """Implements ``KeySource`` for ``keys`` only.

    ``check`` raises for a value that must not be used as a key. ``add_secret`` registers a value for redaction before anything
    else sees it.
    """

    def __init__(
        self,
        keys: Mapping[str, ApiKey],
        env: Mapping[str, str],
        keyring: Keyring,
        check: Callable[[ApiKey, str], None],
        add_secret: Callable[[str], None],
    ) -> None:
        self._keys = keys
        self._env = env
        self._keyring = keyring
        self._check = check
        self._add_secret = add_secret

    def get(self, name: str) -> str:
        """As ``KeySource.get``."""
        key = self._key(name)
        if not key.needed:
            return ""
        _dump_no_core()
        value = self._read(key)
        if not value:
            raise _absent(key)
        self._add_secret(value)
        self._check(key, value)
        return value

    def put(self, key: ApiKey, value: str) -> None:
        """Store a value where ``key`` says. Raises ``OneseatError`` when it cannot be stored or is not such a key."""
        self._add_secret(value)
        self._check(key, value)
        if key.env is not None or not key.needed:
            raise _not_stored_here(key)
        if key.file is not None:
            write_key_file(key.name, key.file, value)
        else:
            with _suggest_file(key):
                self._keyring.put(key.name, value)

    def remove(self, name: str) -> bool:
        """Delete a stored key; returns whether there was one. A key without settings is looked for in the keyring."""
        key = self._keys.get(name)
        if key is not None and key.env is not None:
            raise _not_stored_here(key)
        if key is not None and key.file is not None:
            return remove_key_file(name, key.file)
        try:
            return self._keyring.remove(name)
        except OneseatError:
            if key is not None:
                raise
            raise unknown_key(name) from None

    def _key(self, name: str) -> ApiKey:
        if name not in self._keys:
            raise unknown_key(name)
        return self._keys[name]

    def _read(self, key: ApiKey) -> str | None:
        if key.env is not None:
            return self._env.get(key.env, "").strip()
        if key.file is not None:
            return read_key_file(key.name, key.file)
        with _suggest_file(key):
            return (self._keyring.get(key.name) or "").strip()


@contextlib.contextmanager
def _suggest_file(key: ApiKey) -> Iterator[None]:
    """Replace the hint of a keyring error with the command that uses a file instead."""
    try:
        yield
    except OneseatError as error:
        if error.info.code != "provider.keyring_unusable":
            raise
        command = f"oneseat key set {key.name} --provider {key.provider} --file ~/.oneseat-key-{key.name}"
        hint = f"Keep the key in a private file: `{command}`"
        raise OneseatError(msgspec.structs.replace(error.info, hint=hint)) from None


def _dump_no_core() -> None:
    """From now on, a crash of this process, and of what it starts, writes no core file: it would hold the keys in its memory."""
    if sys.platform != "win32":
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        # On Linux, a limit of 1 also stops a core that goes through a pipe to a program, which 0 does not.
        resource.setrlimit(
            resource.RLIMIT_CORE, (1 if most == resource.RLIM_INFINITY else min(1, most), most)
        )


def unknown_key(name: str) -> UsageError:
    """The error for a name that no API key in the settings has."""
    return UsageError(
        ErrorInfo(
            code="usage.unknown_key",
            message=f"No such API key: `{name}`",
            hint="List your keys: `oneseat key list`",
        )
    )


def _absent(key: ApiKey) -> OneseatError:
    hint = f"`export {key.env}=...`" if key.env is not None else f"`oneseat key set {key.name}`"
    return OneseatError(
        ErrorInfo(
            code="provider.no_key",
            message=f"API key not found: `keys.{key.name}`\n  looked in {key.place}",
            hint=f"Set it: {hint}",
        )
    )


def _not_stored_here(key: ApiKey) -> UsageError:
    why = (
        f"it is read from {key.place}" if key.env is not None else "none is needed: it has `charges = false`"
    )
    return UsageError(
        ErrorInfo(
            code="usage.key_elsewhere",
            message=f"oneseat does not store this API key: `keys.{key.name}`\n  {why}",
        )
    )
