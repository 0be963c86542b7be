"""What commands that change something report: a first set-up, a key, a server that was stopped."""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo


class InitReport(msgspec.Struct, frozen=True, kw_only=True):
    """The settings file that was ``written``, and the ``copy`` of the one before. ``doubt`` is about the key that was given.

    ``refused`` says why the policy would refuse every run with these settings; ``None`` when it would not.
    """

    written: str
    copy: str | None
    doubt: str | None
    refused: ErrorInfo | None


class KeyStored(msgspec.Struct, frozen=True, kw_only=True):
    """A key, the ``place`` it is read from, whether oneseat ``stored`` it, and the settings file that now names it.

    ``doubt`` is about the value.
    """

    name: str
    place: str
    stored: bool
    settings_file: str | None
    doubt: str | None


class KeyRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there was a key to remove, and whether the settings still name it."""

    name: str
    removed: bool
    still_named: bool


class ServerStopped(msgspec.Struct, frozen=True, kw_only=True):
    """The process of the server that was stopped; ``None`` when none was running."""

    pid: int | None


class SettingsPath(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's settings ``file``, whether it is there, and the ``project`` file that counts in this directory."""

    file: str
    exists: bool
    project: str | None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario of the simulator."""

    name: str
    meaning: str


class ScenarioList(msgspec.Struct, frozen=True, kw_only=True):
    """Every scenario of the simulator."""

    scenarios: tuple[Scenario, ...]
