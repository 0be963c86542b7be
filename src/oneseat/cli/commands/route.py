"""``oneseat route``."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from oneseat._util.json import to_json
from oneseat.app import Installation
from oneseat.app.wiring import opened_app
from oneseat.cli.options.prompt import PromptCommand
from oneseat.cli.options.request import read_request, request_options
from oneseat.cli.output import echo
from oneseat.cli.views.error import print_error
from oneseat.cli.views.route import route_text
from oneseat.contract.errors import exit_code
from oneseat.contract.request import Request
from oneseat.contract.routing import RouteReport


@click.command(
    "route",
    cls=PromptCommand,
    epilog="""\b
Examples:
  oneseat route "Summarise this" --file report.pdf
  oneseat route --explain --role reasoning "Prove it"
  oneseat route --explain --json "Translate this"

Exit codes: 0 a provider would serve it, else the code of the run: 3 refused, 5 a limit is full, 7 the provider failed.""",
)
@request_options
@click.option("--explain", is_flag=True, help="Say for each candidate why it would serve, or why not.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(prompt: tuple[str, ...], files: tuple[str, ...], **options: Any) -> int:
    """Show which provider would serve PROMPT, and who would pay. Nothing is started, sent or spent.

    PROMPT and the options are those of `oneseat run`.
    """
    report = asyncio.run(_report(read_request(prompt, files, options)))
    if options["as_json"]:
        echo(to_json(report))
    elif options["explain"]:
        echo(route_text(report))
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
