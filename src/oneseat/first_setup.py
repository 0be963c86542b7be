"""The first set-up: from what was chosen to a settings file. Nothing is written before everything is known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from oneseat.assembly import (
    copy_settings,
    find_paths,
    key_store,
    redactor,
    settings_text,
    write_settings,
)
from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.keys import ApiKey
from oneseat.host.environment import rented_runner
from oneseat.keys import keyring_problem, new_key
from oneseat.rules.inputs import api_keys
from oneseat.settings import FILE_NAME
from oneseat.settings.table import declared
from oneseat.settings.template import Choices, first_file

__all__ = [
    "HOSTS",
    "PLANS",
    "ApiKey",
    "Choices",
    "Prepared",
    "Written",
    "keyring_problem",
    "new_key",
    "settings_path",
    "usual_host",
]

#: What may be said of the machine and of the plan.
HOSTS = tuple(host for host in declared()["policy.host"][1].check.options if host != "unknown")
PLANS = declared()["policy.plan"][1].check.options


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a set-up did. ``copy`` is the settings file of before; ``doubt`` is about the key that was typed."""

    path: Path
    copy: Path | None
    doubt: str | None


def settings_path(env: Mapping[str, str] | None = None) -> Path:
    """Where the owner's settings file is, or will be."""
    return find_paths(os.environ if env is None else env).config_dir / FILE_NAME


def usual_host(env: Mapping[str, str] | None = None) -> str:
    """Whose machine this is as long as the settings say nothing."""
    return "rented_runner" if rented_runner(os.environ if env is None else env) else "owner_machine"


class Prepared:
    """A set-up with everything chosen. The value of a key is checked when it is given, and kept when all is written."""

    def __init__(self, choices: Choices, env: Mapping[str, str] | None = None) -> None:
        self._env = dict(os.environ if env is None else env)
        self._choices = choices
        self.text = first_file(choices)

    def fault(self, value: str) -> ErrorInfo | None:
        """Why ``value`` is no key for it."""
        return api_keys.key_error(self._key, value.strip())

    def write(self, value: str | None = None) -> Written:
        """Keep the key, copy a settings file that is there, and write the new one.

        Raises ``OneseatError`` where one of these cannot be done; the settings are then as they were.
        """
        doubt = None
        if value is not None:
            store = key_store(self._env, redactor(self._env), {self._key.name: self._key})
            store.put(self._key, value.strip())
            doubt = api_keys.key_warning(self._key, value.strip())
        copy = copy_settings(self._env, f".{datetime.now(UTC):%Y%m%d-%H%M%S}") if self._exists() else None
        write_settings(self._env, self.text)
        return Written(path=settings_path(self._env), copy=copy, doubt=doubt)

    def _exists(self) -> bool:
        return bool(settings_text(self._env))

    @property
    def _key(self) -> ApiKey:
        if self._choices.key is None:
            raise InternalError(
                ErrorInfo(
                    code="bug.unexpected", message="The value of a key that was not chosen", whose_turn="bug"
                )
            )
        return self._choices.key
