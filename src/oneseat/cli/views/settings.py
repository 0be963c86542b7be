"""The owner's settings: what is wrong in them, and what is in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from oneseat.cli.screen import styled
from oneseat.contract.reports.settings import SettingInForce, SettingsCheck, SettingsFinding, SettingsList

from .table import plural, table


def check_text(report: SettingsCheck) -> str:
    """Every finding, and how many there are."""
    if not report.findings:
        files = ", ".join(report.files)
        return f"nothing wrong in {files}" if files else "no settings file: defaults apply"
    lines = [line for finding in report.findings for line in _finding(finding)]
    return "\n".join([*lines, plural(len(report.findings), "finding")])


def list_text(report: SettingsList, toml: Callable[[Any], str]) -> str:
    """Every setting with its value, as ``toml`` writes it, and where that comes from."""
    rows = [("setting", "value", "from"), *(_row(each, toml) for each in report.settings)]
    return "\n".join(table(rows, head=True))


def chosen_text(report: SettingsList, toml: Callable[[Any], str]) -> str | None:
    """The settings that differ from their defaults; ``None`` without any."""
    rows = [_row(each, toml) for each in report.settings if each.source != "default"]
    return "\n".join(table(rows)) if rows else None


def _row(setting: SettingInForce, toml: Callable[[Any], str]) -> tuple[str, ...]:
    return setting.name, toml(setting.value), setting.source


def _finding(finding: SettingsFinding) -> Iterator[str]:
    place = ":".join(str(part) for part in (finding.file, finding.line, finding.column) if part is not None)
    yield f"{styled(place or 'environment', 'strong')}: {finding.message}"
    if finding.hint is not None:
        yield f"  {styled('hint:', 'strong')} {finding.hint}"
