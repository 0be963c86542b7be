"""What a scan found, as it is printed and as JSON."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from oneseat import ErrorInfo, UsageError

Severity = Literal["critical", "high", "medium", "low"]
#: The gravest first.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
Verdict = Literal["real", "false_alarm", "unsure", "not_asked"]


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """How much was looked at. ``blobs`` and ``bytes`` count the files of all commits, also those known to be clean."""

    commits: int
    blobs: int
    bytes: int


class Acceptance(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's word that a finding may leave, up to and including the day ``until``. Days are ISO 8601."""

    reason: str
    author: str
    until: str
    at: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. ``evidence`` never holds the secret; ``line`` and ``commit`` are ``None`` where there is none.

    ``verdict`` and ``opinion`` are the model's; ``accepted`` is the owner's. ``stops`` says whether the push stops for it.
    """

    fingerprint: str
    category: int
    rule: str
    severity: Severity
    path: str
    line: int | None
    commit: str | None
    evidence: str
    verdict: Verdict = "not_asked"
    why: str
    remedy: str
    opinion: str | None = None
    accepted: Acceptance | None = None
    expired: bool = False
    stops: bool = True


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A whole scan. ``accepted`` are findings that may leave because the owner said so; ``findings`` are all others."""

    scanned: Scanned
    findings: tuple[Finding, ...]
    accepted: tuple[Finding, ...] = ()
    model_runs: int = 0
    model_note: str | None = None
    duration_ms: int = 0

    @property
    def stopped(self) -> bool:
        """Whether anything stops the push."""
        return any(finding.stops for finding in self.findings)


def usage_error(code: str, message: str, hint: str | None = None) -> UsageError:
    """The guard's own error: the push stops for it too."""
    return UsageError(ErrorInfo(code=code, message=message, hint=hint))
