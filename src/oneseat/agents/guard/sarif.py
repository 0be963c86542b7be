"""Findings as SARIF 2.1.0, which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import oneseat

from .report import Finding, Report, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Mapping[Severity, str] = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}


def sarif(report: Report) -> dict[str, Any]:
    """The log of one scan: its rules, and a result for each finding that is not accepted."""
    rules = {finding.rule: finding for finding in report.findings}
    driver = {
        "name": "oneseat guard",
        "version": oneseat.__version__,
        "rules": [
            {"id": name, "shortDescription": {"text": finding.why}, "help": {"text": finding.remedy}}
            for name, finding in rules.items()
        ],
    }
    results = [_result(finding) for finding in report.findings]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _result(finding: Finding) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.path)}}
    if finding.line is not None:
        place["region"] = {"startLine": finding.line}
    return {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.why}: {finding.evidence}"},
        "locations": [{"physicalLocation": place}],
        "properties": {
            "category": finding.category,
            "commit": finding.commit,
            "fingerprint": finding.fingerprint,
            "verdict": finding.verdict,
        },
    }
