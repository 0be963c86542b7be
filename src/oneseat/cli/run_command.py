"""``oneseat run``."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import msgspec

from oneseat import api
from oneseat.contract.errors import ErrorInfo, UsageError, exit_code
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Attachment, Request, Tools
from oneseat.engine.runs import RunStream

from .form import Form, Output
from .output import complain, output_failed
from .prompt_argument import OptionalSeconds, PromptCommand
from .remote_run import run_remotely
from .shown import Note, Pieces, Shown
from .sink import Sink
from .standard_input import read_stdin
from .status import PERIOD_S, StatusLine
from .stoppable import canceller, run_stoppable
from .terminal_asker import TerminalAsker


class _Seconds(click.ParamType[float]):
    """A length of time."""

    name = "seconds"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds > 0):
            self.fail(f"`{value}` is not a number of seconds above 0", param, ctx)
        return seconds


class _Dollars(click.ParamType[float]):
    """An amount of money."""

    name = "dollars"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if not (math.isfinite(amount) and amount > 0):
            self.fail(f"`{value}` is not an amount of US dollars above 0", param, ctx)
        return amount


class _Turns(click.ParamType[int]):
    """A number of turns."""

    name = "turns"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            turns = int(value)
        except ValueError:
            turns = 0
        if turns < 1:
            self.fail(f"`{value}` is not a whole number from 1", param, ctx)
        return turns


@click.command(
    "run",
    cls=PromptCommand,
    epilog="""\b
Examples:
  oneseat run "Explain this error: E2BIG"
  git diff | oneseat run "Review this change" --file -
  oneseat run - < prompt.txt
  oneseat run "Summarise" --file report.pdf --json
  oneseat run --project shop "And now the tests"

Exit codes: 0 answered, 2 bad input, 3 refused and nothing sent, 4 stopped because another wallet was paying
or a budget was reached, 5 a limit is full, 6 out of time, 7 the provider failed, 8 the answer cannot be trusted, 130 cancelled.""",
)
@click.argument("prompt", nargs=-1, metavar="[PROMPT]")
@click.option("--system", metavar="TEXT", help="Instructions for the assistant.")
@click.option(
    "--system-file", metavar="FILE", type=click.Path(path_type=Path), help="Read the instructions from FILE."
)
@click.option(
    "--model", metavar="NAME", help="Model, such as sonnet, opus, haiku or a full name. [default: sonnet]"
)
@click.option(
    "--fallback-model",
    metavar="NAME",
    help="Model to use when the first one cannot serve now.",
)
@click.option(
    "--file",
    "files",
    metavar="FILE",
    multiple=True,
    help="Attach a text file, image or PDF; `-` is standard input. Repeatable.",
)
@click.option(
    "--project",
    metavar="NAME",
    help="Run in this project of your oneseat.toml and go on with its session.",
)
@click.option("--new-session", is_flag=True, help="Begin the project's conversation afresh.")
@click.option(
    "--wait",
    cls=OptionalSeconds,
    type=float,
    metavar="[SECONDS]",
    help="Wait while another run of the project goes on.",
)
@click.option(
    "--tools",
    metavar="LIST",
    help="Tools it may use: none, read, edit, all, or names: read,Bash.",
)
@click.option(
    "--permission-mode",
    metavar="MODE",
    help="default, acceptEdits, plan, dontAsk, bypassPermissions.",
)
@click.option(
    "--add-dir",
    "add_dirs",
    metavar="DIR",
    multiple=True,
    type=click.Path(path_type=Path),
    help="One more directory that the tools may use. Repeatable.",
)
@click.option(
    "--mcp-config",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON file with the MCP servers of this run; no others are used.",
)
@click.option(
    "--schema",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON Schema that the answer must fit; see `structured`.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: the answer, the error, the receipt."
)
@click.option("--stream-json", is_flag=True, help="Print one JSON object per event, the result last.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=_Seconds(),
    help="Longest time the whole run may take. [default: 1800]",
)
@click.option("--cold", is_flag=True, help="Do the run in this process, also when a server is running.")
@click.option(
    "--max-budget-usd",
    metavar="USD",
    type=_Dollars(),
    help="Stop at this cost, counted at list price.",
)
@click.option("--max-turns", metavar="N", type=_Turns(), help="Stop after asking the model N times.")
@click.option(
    "--over-limit", is_flag=True, help="Begin also where a usage window is so full that runs pause."
)
@click.option("-q", "--quiet", is_flag=True, help="No receipt and no status line on stderr.")
def command(prompt: tuple[str, ...], files: tuple[str, ...], **options: Any) -> int:
    """Send PROMPT to your assistant and print the answer.

    PROMPT is sent as text, whatever it contains. With `-`, or without PROMPT and something piped in, it is read from
    standard input. Which wallet pays is checked before anything is sent; the receipt says how that is known.
    On a plan nothing is charged; a budget counts what the same tokens cost at list price.
    """
    output = Output(_form(as_json=options["as_json"], stream_json=options["stream_json"]), options["quiet"])
    project = _project(options)
    tools = _tools(options, project)
    request = api.make_request(
        _prompt(_only(prompt), files),
        system=_system(options["system"], options["system_file"]),
        model=options["model"],
        fallback_model=options["fallback_model"],
        attachments=[_attachment(name) for name in files],
        timeout_s=options["timeout"],
        tools=tools,
        mcp_servers=options["mcp_config"],
        max_budget_usd=options["max_budget_usd"],
        max_turns=options["max_turns"],
        # Who sits at the terminal is the person that runs are paused for.
        over_limit=options["over_limit"] or sys.stderr.isatty(),
        schema=api.read_schema(options["schema"]) if options["schema"] is not None else None,
    )
    if project is not None:
        request = api.in_project(
            request, project.name, new_session=options["new_session"], wait_s=options["wait"] or 0.0
        )
        request = msgspec.structs.replace(request, tools=tools)
    if not options["cold"] and (code := _on_server(request, output)) is not None:
        return code
    result = run_stoppable(_run(request, output))
    return exit_code(result.error.code) if result.error is not None else 0


def _on_server(request: Request, output: Output) -> int | None:
    """The exit code of a run that a server did; ``None`` when it is ours to do."""
    try:
        line = msgspec.json.encode(request)
    except UnicodeEncodeError:  # a directory whose name is not UTF-8 cannot be told to anybody
        return None
    return run_remotely(line, request.cwd, output, api.serve_folder(os.environ))


def _project(options: dict[str, Any]) -> api.Project | None:
    if options["project"] is not None:
        return api.find_project(options["project"])
    if options["new_session"] or options["wait"] is not None:
        raise click.UsageError("`--new-session` and `--wait` need `--project NAME`")
    return None


def _tools(options: dict[str, Any], project: api.Project | None) -> Tools:
    named, mode, directories = options["tools"], options["permission_mode"], options["add_dirs"]
    if project is not None:
        # Tools of one's own come with a mode of their own.
        mode = mode or (project.permission_mode if named is None else None)
        named = named or project.tools
        directories = directories or project.add_dirs
    return api.choose_tools(named or "none", mode, directories)


def _form(*, as_json: bool, stream_json: bool) -> Form:
    if as_json and stream_json:
        raise click.UsageError("Choose one of `--json` and `--stream-json`")
    return "json" if as_json else "stream-json" if stream_json else "text"


def _only(prompts: tuple[str, ...]) -> str | None:
    if len(prompts) > 1:
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message=f"Too many arguments: `{prompts[1][:60]}`\n  the prompt is one argument",
                hint='Quote it: `oneseat run "say hello"`',
            )
        )
    return prompts[0] if prompts else None


def _attachment(name: str) -> Attachment:
    return api.decode_attachment("stdin", _stdin()) if name == "-" else api.read_attachment(Path(name))


def _prompt(argument: str | None, files: tuple[str, ...]) -> str:
    if files.count("-") + (argument in (None, "-")) > 1:
        raise click.UsageError("Standard input can be used once: as the prompt or as one attachment")
    if argument is not None and argument != "-":
        return argument
    if argument is None and sys.stdin.isatty():
        raise UsageError(
            ErrorInfo(
                code="usage.no_prompt",
                message="There is no prompt",
                hint='Give one: `oneseat run "say hello"`',
            )
        )
    return api.decode_text(_stdin(), "standard input")


def _stdin() -> bytes:
    return read_stdin(api.MAX_INPUT_BYTES + 1)


def _system(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise click.UsageError("Choose one of `--system` and `--system-file`")
    if file is not None:
        return api.read_text(file)
    return text


async def _run(request: Request, output: Output) -> RunResult:
    def say(line: str) -> None:
        if not output.quiet:
            complain(line + "\n")

    async with api.opened_app(as_command=True, say=say) as app:
        asker = TerminalAsker() if sys.stderr.isatty() and not output.quiet else None
        return await _drive(app.stream(request, ask=asker), output)


async def _drive(stream: RunStream, output: Output) -> RunResult:
    """Run and show. A cancelled run is shown like any other: it too has a result."""
    cancel = canceller(asyncio.current_task())
    sink = Sink(sys.stdout.fileno(), on_gone=lambda: cancel() if stream.result is None else None)
    status = StatusLine(enabled=not output.quiet)
    shown = Shown(output, status)
    async with _ticking(status):
        try:
            async with stream:
                async for event in stream:
                    await _write(sink, status, shown.event(event))
        except (
            asyncio.CancelledError,
            Exception,
        ):  # after a bug too, what was received is shown with its receipt
            if stream.result is None:
                raise
    if stream.result is None:
        raise asyncio.CancelledError
    await _write(sink, status, shown.result(stream.result))
    await sink.flush()
    await _write(sink, status, shown.ending(stream.result, written=sink.failure is None))
    await sink.close()
    if sink.failure is not None:
        raise output_failed(sink.failure, stream.run_id)
    return stream.result


async def _write(sink: Sink, status: StatusLine, pieces: Pieces) -> None:
    for piece in pieces:
        if isinstance(piece, Note):
            await sink.flush()
            status.interrupt(piece.text)
        else:
            await sink.write(piece)


@contextlib.asynccontextmanager
async def _ticking(status: StatusLine) -> AsyncIterator[None]:
    async def tick() -> None:
        while status.shown:
            status.draw()
            await asyncio.sleep(PERIOD_S)

    ticks = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticks.cancel()
        status.pause()
