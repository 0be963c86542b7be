"""``oneseat route``."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec

from oneseat.app import Installation
from oneseat.app.wiring import opened_app
from oneseat.contract.errors import exit_code
from oneseat.contract.request import Request
from oneseat.contract.routes import CandidateReport, RouteReport

from .output import echo
from .prompt_argument import PromptCommand
from .request_options import read_request, request_options
from .show_error import print_error


@click.command(
    "route",
    cls=PromptCommand,
    epilog="""\b
Examples:
  oneseat route "Summarise this" --file report.pdf
  oneseat route --explain --role reasoning "Prove it"
  oneseat route --explain --json "Translate this"

Exit codes: 0 somebody would serve it, else that of the run: 3 refused, 5 a limit is full, 7 the provider failed.""",
)
@request_options
@click.option("--explain", is_flag=True, help="Say of each candidate why it would serve, or why not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(prompt: tuple[str, ...], files: tuple[str, ...], **options: Any) -> int:
    """Say who would serve PROMPT, and what would pay. Nothing is started, sent or spent.

    PROMPT and its options are those of `oneseat run`.
    """
    report = asyncio.run(_report(read_request(prompt, files, options)))
    if options["as_json"]:
        echo(msgspec.json.encode(report).decode())
    elif options["explain"]:
        echo("\n".join(_lines(report)))
    elif report.chosen is not None:
        echo(report.chosen)
    if report.error is None:
        return 0
    if not options["as_json"]:
        print_error(report.error, "text")
    return exit_code(report.error.code)


async def _report(request: Request) -> RouteReport:
    async with opened_app(Installation()) as app:
        return await app.route(request)


def _lines(report: RouteReport) -> list[str]:
    asked = f"role {report.role}" if report.role is not None else "no role"
    needs = ", ".join(report.needs) or "nothing but words"
    return [
        f"{asked}; policy {report.tier} by rule {report.rule} (pack {report.pack})",
        f"about {report.prompt_tokens:,} tokens; needs {needs}",
        *(_line(number, each, report.chosen) for number, each in enumerate(report.candidates, 1)),
    ]


def _line(number: int, each: CandidateReport, chosen: str | None) -> str:
    if each.serves:
        first = each.candidate == chosen
        return f"{number}. {each.candidate}: {'serves it' if first else 'would serve it if those before could not'}"
    until = f", until {each.until}" if each.until is not None else ""
    return f"{number}. {each.candidate}: no, {each.code}: {each.why}{until}"
