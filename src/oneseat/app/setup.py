"""First set-up: turn what was chosen into a settings file. Nothing is written before everything is known."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.keys import ApiKey
from oneseat.host.environment import rented_runner
from oneseat.installation import Installation
from oneseat.rules.inputs import api_keys
from oneseat.settings.table import declared
from oneseat.settings.template import Choices, first_file

from .keys import key_store
from .settings import copy_settings, settings_text, write_settings

__all__ = [
    "HOSTS",
    "PLANS",
    "Choices",
    "Prepared",
    "Written",
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


def usual_host(here: Installation) -> str:
    """Whose machine this is as long as the settings say nothing."""
    return "rented_runner" if rented_runner(here.env) else "owner_machine"


class Prepared:
    """A set-up with everything chosen. The value of a key is checked when it is given, and kept when all is written."""

    def __init__(self, here: Installation, choices: Choices) -> None:
        self._here = here
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
            key_store(self._here, {self._key.name: self._key}).put(self._key, value.strip())
            doubt = api_keys.key_warning(self._key, value.strip())
        ending = f".{datetime.now(UTC):%Y%m%d-%H%M%S}"
        copy = copy_settings(self._here, ending) if settings_text(self._here) else None
        write_settings(self._here, self.text)
        return Written(path=self._here.settings_file, copy=copy, doubt=doubt)

    @property
    def _key(self) -> ApiKey:
        if self._choices.key is None:
            raise InternalError(
                ErrorInfo(
                    code="bug.unexpected",
                    message="A value for an API key that was not chosen",
                    whose_turn="bug",
                )
            )
        return self._choices.key
