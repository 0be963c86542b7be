"""What `oneseat guard` found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from oneseat.agents.guard.report import Finding, Report

from .table import plural
from .text import field

_CATEGORIES = (
    "",
    "seat and vendor credentials",
    "tokens, private keys and connection strings",
    "forbidden files",
    "personal data",
    "infrastructure traces",
    "ignore-file gaps",
    "injection sinks",
    "weak crypto and transport",
    "debug and open doors",
    "dangerous operations and supply chain",
)


def report_text(report: Report) -> str:
    """The whole report: each finding, then what was scanned and the verdict."""
    lines = [line for finding in report.findings for line in (*_finding(finding), "")]
    scanned = report.scanned
    lines.append(
        f"scanned: {plural(scanned.commits, 'commit')}, {plural(scanned.blobs, 'file')}, {scanned.bytes:,} bytes"
        f" in {report.duration_ms / 1000:.1f} s, {plural(report.model_runs, 'model run')}"
    )
    if report.accepted:
        lines.append(f"accepted by you: {plural(len(report.accepted), 'finding')}")
    if report.model_note is not None:
        lines.append(f"the model gave no answer, so the rules decide: {report.model_note}")
    stopping = sum(finding.stops for finding in report.findings)
    lines.append(f"stopped: {plural(stopping, 'finding')}" if stopping else "nothing stops the push")
    return "\n".join(lines)


def finding_text(finding: Finding) -> str:
    """One finding with all that is known of it."""
    return "\n".join(_finding(finding))


def _finding(finding: Finding) -> Iterator[str]:
    head = "STOP" if finding.stops else "note"
    place = finding.path if finding.line is None else f"{finding.path}:{finding.line}"
    yield f"{head}  {place}  {finding.rule} ({finding.severity}, {_CATEGORIES[finding.category]})"
    yield from field("found", finding.evidence)
    if finding.commit is not None:
        yield from field("commit", finding.commit)
    yield from field("why", finding.why)
    yield from field("do", finding.remedy)
    if finding.opinion is not None:
        yield from field("model", f"{finding.verdict.replace('_', ' ')}: {finding.opinion}")
    if finding.accepted is not None:
        word = finding.accepted
        ended = "ended" if finding.expired else "until"
        yield from field(
            "accepted", f"{ended} {word.until}, by {word.author} on {word.at[:10]}: {word.reason}"
        )
    yield from field("fingerprint", finding.fingerprint)
