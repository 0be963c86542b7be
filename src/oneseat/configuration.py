"""The settings as their owner sees them: what is wrong, what is in force, and where it stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from oneseat.assembly import find_paths
from oneseat.contract.reports.settings import SettingInForce, SettingsCheck, SettingsFinding, SettingsList
from oneseat.settings.checking import Inspected, inspect
from oneseat.settings.wording import toml

__all__ = ["check_settings", "list_settings", "toml"]


def check_settings(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> SettingsCheck:
    """Everything that is wrong. Raises ``UsageError`` only where oneseat's own folder cannot be named."""
    seen = _inspected(env, cwd)
    findings = [
        SettingsFinding(
            file=each.file,
            line=each.line,
            column=each.column,
            code=each.error.code,
            message=each.error.message,
            hint=each.error.hint,
        )
        for each in seen.findings
    ]
    return SettingsCheck(files=seen.files, findings=tuple(findings))


def list_settings(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> SettingsList:
    """Everything in force. Raises like ``check_settings``."""
    seen = _inspected(env, cwd)
    settings = [
        SettingInForce(name=each.name, value=each.value, source=each.source) for each in seen.settings
    ]
    return SettingsList(files=seen.files, settings=tuple(settings))


def _inspected(env: Mapping[str, str] | None, cwd: Path | None) -> Inspected:
    snapshot = dict(os.environ if env is None else env)
    return inspect(snapshot, cwd or Path.cwd(), find_paths(snapshot).config_dir)
