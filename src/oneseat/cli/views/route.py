"""Who would serve a prompt, and why the others would not."""

from __future__ import annotations

from oneseat.cli.screen import styled
from oneseat.contract.routing import CandidateReport, RouteReport

from .timefmt import local_time


def route_text(report: RouteReport) -> str:
    """Each candidate with its reason, in order."""
    role = f"role {report.role}" if report.role is not None else "no role"
    needs = ", ".join(report.needs) or "text only"
    return "\n".join(
        [
            f"{role}; policy {report.tier} by rule {report.rule} (pack {report.pack})",
            f"about {report.prompt_tokens:,} tokens; needs {needs}",
            *(_line(number, each, report.chosen) for number, each in enumerate(report.candidates, 1)),
        ]
    )


def _line(number: int, each: CandidateReport, chosen: str | None) -> str:
    if each.serves:
        first = each.candidate == chosen
        return f"{number}. {each.candidate}: {styled('serves it', 'good') if first else 'serves it if those before cannot'}"
    until = f", until {local_time(each.until)}" if each.until is not None else ""
    return f"{number}. {each.candidate}: {styled('no', 'bad')}, {each.code}: {each.why}{until}"
