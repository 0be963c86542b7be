"""The owner's settings: what is wrong in them, and what is in force."""

from __future__ import annotations

from typing import Any

import msgspec


class SettingsFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong; ``line`` and ``column`` count from 1. Without a ``file`` it is an environment variable."""

    file: str | None
    line: int | None
    column: int | None
    code: str
    message: str
    hint: str | None


class SettingsCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is wrong. ``files`` are those that were read."""

    files: tuple[str, ...]
    findings: tuple[SettingsFinding, ...]


class SettingInForce(msgspec.Struct, frozen=True, kw_only=True):
    """One setting with its value, without credentials. ``source`` is a file, a variable or ``default``."""

    name: str
    value: Any
    source: str


class SettingsList(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting in force in one directory."""

    files: tuple[str, ...]
    settings: tuple[SettingInForce, ...]
