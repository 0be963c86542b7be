"""Back ends for the `keyring` library, selected by its variable PYTHON_KEYRING_BACKEND, in place of a desktop's keyring."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class InFile(KeyringBackend):
    """Keeps keys in the file that the variable TEST_KEYRING names."""

    priority: ClassVar[float] = 9

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write(self._all() | {f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._all()
        if kept.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError
        self._write(kept)

    def _all(self) -> dict[str, str]:
        path = Path(os.environ["TEST_KEYRING"])
        kept: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return kept

    def _write(self, kept: dict[str, str]) -> None:
        Path(os.environ["TEST_KEYRING"]).write_text(json.dumps(kept), "utf-8")


class Locked(InFile):
    """A keyring that stays locked. Its error contains the secret, like that of a careless back end."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked(f"{service} {username} is locked")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked(f"cannot write {password}")

    def delete_password(self, service: str, username: str) -> None:
        raise KeyringLocked


class Broken(Locked):
    """Fails with an error that is not one of the library's."""

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(f"no such object: {service}")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot write {password}")


class Plain(InFile):
    """Claims to come from the package of back ends that store keys in plain text."""


Plain.__module__ = "keyrings.alt.file"


class Silent(InFile):
    """Waits for a password that is never typed, until the other end of a pipe is closed."""

    def get_password(self, service: str, username: str) -> str | None:
        Path(os.environ["TEST_KEYRING"]).read_bytes()
        return None
