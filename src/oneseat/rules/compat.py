"""Decides by its trial whether an untested version of the official CLI may be used."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.reports.compat import CanaryReport


def refusal(report: CanaryReport, newest_tested: str) -> ErrorInfo | None:
    """Why the CLI of this trial is refused; ``None`` when it passed."""
    if report.passed:
        return None
    first, *others = report.broken
    why = f"`{first.name}`: {first.expected}\n  seen: {first.seen}"
    if others:
        why += f"\n  broken too: {', '.join(f'`{other.name}`' for other in others)}"
    return ErrorInfo(
        code="provider.untested_cli",
        message=f"The official CLI breaks an assumption of oneseat: `{report.version or 'unknown version'}`\n  {why}",
        hint=f"Install a tested version: `npm install -g @anthropic-ai/claude-code@{newest_tested}`, "
        "or check this one again: `oneseat doctor --canary`",
    )
