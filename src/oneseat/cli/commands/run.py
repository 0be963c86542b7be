"""``oneseat run``."""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import Any

import click
import msgspec

from oneseat.app import Installation
from oneseat.app.wiring import opened_app
from oneseat.cli.options.prompt import PromptCommand
from oneseat.cli.options.request import read_request, request_options
from oneseat.cli.output import Output, OutputFormat, check_stdout, complain
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.terminal.remote_run import run_remotely
from oneseat.cli.terminal.showing import ask_owner, show_run
from oneseat.cli.terminal.status_line import StatusLine
from oneseat.contract.errors import exit_code
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request


@click.command(
    "run",
    cls=PromptCommand,
    epilog="""\b
Examples:
  oneseat run "Explain this error: E2BIG"
  git diff | oneseat run "Review this change" --file -
  oneseat run - < prompt.txt
  oneseat run "Summarise" --file report.pdf --json
  oneseat run -c "And in one sentence"
  oneseat run --project shop "And now the tests"

Exit codes: 0 answered, 2 bad input, 3 refused and nothing sent, 4 stopped because another wallet paid
or a budget was reached, 5 a limit is full, 6 timed out, 7 the provider failed, 8 the answer is not reliable, 130 cancelled.""",
)
@request_options
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: the answer, the error, the receipt."
)
@click.option("--stream-json", is_flag=True, help="Print one JSON object per event, then the result.")
@click.option("--cold", is_flag=True, help="Run in this process, even when a server is running.")
@click.option("-q", "--quiet", is_flag=True, help="No receipt and no status line on stderr.")
def command(prompt: tuple[str, ...], files: tuple[str, ...], **options: Any) -> int:
    """Send PROMPT to your assistant and print the answer.

    PROMPT is sent as text, whatever it contains. With `-`, or without PROMPT, it is read from standard input.
    A file or pipe on standard input beside a PROMPT is sent after it.
    The wallet that pays is checked before anything is sent, and the receipt shows the evidence. A plan charges
    nothing; budgets count the list price of the same tokens.
    """
    output = Output(_form(as_json=options["as_json"], stream_json=options["stream_json"]), options["quiet"])
    check_stdout()
    request = read_request(prompt, files, options)
    if not options["cold"] and (code := _on_server(request, output)) is not None:
        return code
    result = run_stoppable(_run(request, output))
    return exit_code(result.error.code) if result.error is not None else 0


def _on_server(request: Request, output: Output) -> int | None:
    """The exit code of a run on the server; ``None`` when this process has to run it."""
    try:
        line = msgspec.json.encode(request)
    except UnicodeEncodeError:  # JSON cannot hold a directory whose name is not UTF-8
        return None
    return run_remotely(line, request.cwd, output, str(Installation().paths.serve_dir))


def _form(*, as_json: bool, stream_json: bool) -> OutputFormat:
    if as_json and stream_json:
        raise click.UsageError("--json and --stream-json are mutually exclusive")
    return "json" if as_json else "stream-json" if stream_json else "text"


async def _run(request: Request, output: Output) -> RunResult:
    def say(line: str) -> None:
        if not output.quiet:
            complain(line + "\n")

    result: RunResult | None = None
    try:
        async with opened_app(Installation(), as_command=True, say=say) as app:
            status = StatusLine(enabled=not output.quiet)
            asker = functools.partial(ask_owner, status) if sys.stderr.isatty() else None
            result = await show_run(app.stream(request, ask=asker), output, status)
    except asyncio.CancelledError:
        if result is None:
            raise
    # Else the result has been printed: a stop signal while the app is closed must not add a second one.
    return result
