"""The options that describe a request, for `oneseat run` and `oneseat route`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from oneseat.app import Installation, requests
from oneseat.app.sessions import place_to_resume
from oneseat.app.settings import Project, find_project
from oneseat.cli.output import read_beside_prompt, read_stdin
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.receipt import MOST_USD
from oneseat.contract.request import MOST_SECONDS, MOST_TURNS, Attachment, Entry, Request, Tools

from .completing import completer
from .prompt import OptionalSeconds
from .purpose import PURPOSE_OPTIONS, words_of

_Command = TypeVar("_Command", bound=Callable[..., Any])


#: Ten years, in seconds.
_LONGEST_WAIT_S = 10 * 365 * 86_400.0


class _AboveZero(click.ParamType[float]):
    """A number above 0, at most ``most``; ``called`` is its name in errors."""

    def __init__(self, unit: str, called: str, most: float) -> None:
        self.name = unit
        self._called = called
        self._most = most

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if not 0 < amount <= self._most:
            self.fail(f"`{value}` is not {self._called} above 0 and up to {self._most:,.0f}", param, ctx)
        return amount


class _Turns(click.ParamType[int]):
    """A number of turns."""

    name = "turns"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            turns = int(value)
        except ValueError:
            turns = 0
        if not 1 <= turns <= MOST_TURNS:
            self.fail(f"`{value}` is not a whole number from 1 to {MOST_TURNS}", param, ctx)
        return turns


_OPTIONS = (
    click.argument("prompt", nargs=-1, metavar="[PROMPT]"),
    click.option("-s", "--system", metavar="TEXT", help="Instructions for the assistant."),
    click.option(
        "--system-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Read the instructions from FILE.",
    ),
    click.option(
        "-m",
        "--model",
        metavar="NAME",
        shell_complete=completer("model"),
        help="Model, such as sonnet, opus, haiku or a full name. [default: sonnet]",
    ),
    click.option(
        "--fallback-model",
        metavar="NAME",
        shell_complete=completer("model"),
        help="Model to use when the first one is unavailable.",
    ),
    click.option(
        "--file",
        "files",
        metavar="FILE",
        multiple=True,
        help="Attach a text file, image or PDF; `-` is standard input. Repeatable.",
    ),
    click.option(
        "--project",
        metavar="NAME",
        shell_complete=completer("project"),
        help="Run in this project of your oneseat.toml and continue its conversation.",
    ),
    click.option(
        "--continue",
        "-c",
        "resume",
        is_flag=True,
        help="Continue the last conversation of this directory.",
    ),
    click.option("--new-session", is_flag=True, help="Start a new conversation in the project."),
    click.option(
        "--wait",
        cls=OptionalSeconds,
        type=float,
        metavar="[SECONDS]",
        help="Wait for another run of the project to end.",
    ),
    click.option(
        "--tools",
        metavar="LIST",
        shell_complete=completer("tool", lists=True),
        help="Tools it may use: none, read, edit, all, or names: read,Bash.",
    ),
    click.option(
        "--permission-mode",
        metavar="MODE",
        help="default, acceptEdits, plan, dontAsk, bypassPermissions.",
    ),
    click.option(
        "--add-dir",
        "add_dirs",
        metavar="DIR",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Another directory that the tools may use. Repeatable.",
    ),
    click.option(
        "--mcp-config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="JSON file with the MCP servers of this run; no others are started.",
    ),
    click.option(
        "--schema",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="JSON Schema for the answer, which is then in `structured`.",
    ),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=_AboveZero("seconds", "a number of seconds", MOST_SECONDS),
        help="Time limit of the whole run. [default: 1800]",
    ),
    click.option(
        "--max-budget-usd",
        metavar="USD",
        type=_AboveZero("dollars", "an amount of US dollars", MOST_USD),
        help="Stop at this cost at list price.",
    ),
    click.option("--max-turns", metavar="N", type=_Turns(), help="Stop after N calls of the model."),
    click.option(
        "--over-limit", is_flag=True, help="Run even when a usage window is so full that runs pause."
    ),
    click.option(
        "--role", metavar="NAME", shell_complete=completer("role"), help="Use this role of your oneseat.toml."
    ),
    click.option(
        "--provider",
        metavar="NAME",
        shell_complete=completer("provider"),
        help="Use this seat, or an API key for this provider.",
    ),
    click.option("--key", metavar="NAME", shell_complete=completer("key"), help="Use this API key."),
    *PURPOSE_OPTIONS,
)


#: Options that a conversation does not have: they belong to one message, to a project, or to an answer of one form.
OF_ONE_RUN = frozenset({"prompt", "files", "project", "new_session", "wait", "schema", "role"})


def request_options(command: _Command) -> _Command:
    """Give a command the prompt and all options of a request, in their order; ``read_request`` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_message(prompt: str, files: tuple[str, ...], options: dict[str, Any]) -> Request:
    """The request of one message of a conversation. Raises like ``read_request``."""
    missing: dict[str, Any] = dict.fromkeys(OF_ONE_RUN)
    return read_request((prompt,), files, {**missing, **options, "new_session": False}, beside=False)


def read_request(
    prompt: tuple[str, ...], files: tuple[str, ...], options: dict[str, Any], *, beside: bool = True
) -> Request:
    """The request of a command line, with what is on standard input ``beside`` the prompt.

    Raises ``UsageError`` and ``click.UsageError`` for what is wrong in it.
    """
    here = Installation()
    place = _place(here, options)
    project = find_project(here, place.project) if place.project is not None else None
    tools = _tools(options, project)
    _check_route(options)
    request = requests.make_request(
        here,
        _prompt(_only(prompt), files) if beside else prompt[0],
        system=_system(options["system"], options["system_file"]),
        model=options["model"],
        fallback_model=options["fallback_model"],
        attachments=[_attachment(name) for name in files],
        timeout_s=options["timeout"],
        tools=tools,
        mcp_servers=options["mcp_config"],
        max_budget_usd=options["max_budget_usd"],
        max_turns=options["max_turns"],
        # The pause leaves the windows to the person at the terminal.
        over_limit=options["over_limit"] or sys.stderr.isatty(),
        schema=requests.read_schema(options["schema"]) if options["schema"] is not None else None,
        role=options["role"],
        provider=options["provider"],
        key=options["key"],
        purpose=words_of(here, options, project).purpose(),
        client=options["client"],
    )
    request = msgspec.structs.replace(
        request, entry=Entry(attended=sys.stderr.isatty()), session=place.session
    )
    if project is None:
        return request
    own = request.purpose
    request = requests.in_project(
        here, request, project.name, new_session=options["new_session"], wait_s=_wait_s(options)
    )
    # Options of the command line override those of the project.
    return msgspec.structs.replace(request, tools=tools, purpose=own)


def _check_route(options: dict[str, Any]) -> None:
    if options["role"] is not None and (options["provider"] or options["key"] or options["model"]):
        raise click.UsageError("`--role` excludes `--provider`, `--key` and `--model`: the role names them")
    if options["provider"] is not None and options["key"] is not None:
        raise click.UsageError("--provider and --key are mutually exclusive: a key has a provider")


def _place(here: Installation, options: dict[str, Any]) -> requests.Place:
    """The project or the conversation that a run belongs to."""
    wait_s = _wait_s(options)
    if options["resume"]:
        if options["project"] is not None or options["new_session"]:
            raise click.UsageError("--continue excludes --project and --new-session")
        return place_to_resume(here, which=True, cwd=None, wait_s=wait_s)
    if options["project"] is None and (options["new_session"] or options["wait"] is not None):
        raise click.UsageError("--new-session needs --project NAME, --wait needs that or --continue")
    return requests.Place(None, options["project"])


def _wait_s(options: dict[str, Any]) -> float:
    # `--wait` alone is without end, which the JSON of a request to a server has no number for.
    return min(options["wait"] or 0.0, _LONGEST_WAIT_S)


def _tools(options: dict[str, Any], project: Project | None) -> Tools:
    named, mode, directories = options["tools"], options["permission_mode"], options["add_dirs"]
    if project is not None:
        # Tools of the command line do not inherit the permission mode of the project.
        mode = mode or (project.permission_mode if named is None else None)
        named = named or project.tools
        directories = directories or project.add_dirs
    return requests.choose_tools(named or "none", mode, directories)


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
    return requests.attachment("stdin", _stdin()) if name == "-" else requests.attachment(name)


def _prompt(argument: str | None, files: tuple[str, ...]) -> str:
    if files.count("-") + (argument in (None, "-")) > 1:
        raise click.UsageError("Standard input can be read once: as the prompt or as one attachment")
    if argument is not None and argument != "-":
        beside = b"" if "-" in files else read_beside_prompt(requests.MAX_INPUT_BYTES + 1)
        return requests.with_input(argument, beside)
    if argument is None and sys.stdin.isatty():
        raise UsageError(
            ErrorInfo(
                code="usage.no_prompt",
                message="No prompt",
                hint='Give one: `oneseat run "say hello"`',
            )
        )
    return requests.input_text("standard input", _stdin())


def _stdin() -> bytes:
    return read_stdin(requests.MAX_INPUT_BYTES + 1)


def _system(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise click.UsageError("--system and --system-file are mutually exclusive")
    if file is not None:
        return requests.input_text(file)
    return text
