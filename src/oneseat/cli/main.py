"""The ``oneseat`` command, and the place where errors become text and exit codes."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Iterable, Sequence

import click

from oneseat import __version__
from oneseat.contract.errors import ErrorInfo, OneseatError, exit_code

from . import gc_control
from .output import OutputFormat, echo, fill_standard_streams
from .views.error import print_error

#: Commands with their help. The module of a command is loaded when it is used, to keep start-up short.
_COMMANDS = {
    "run": "Send one prompt to your assistant and print the answer",
    "chat": "Talk with your assistant in the terminal",
    "route": "Show which provider would serve a prompt, and who would pay",
    "log": "List past runs and who paid for them",
    "show": "Print one run with its events and evidence",
    "limits": "Show how full each usage window is, and when it resets",
    "usage": "Add up tokens and list prices, by day, project, model or conversation",
    "advise": "Compare what your work costs by API key and on each plan",
    "policy": "Show, explain and override the rules on what your plan may do",
    "sessions": "List, show and end the conversations of your projects",
    "guard": "Stop a push that would publish a secret or something dangerous",
    "serve": "Keep a server running, so that runs start at once",
    "clients": "Add, list and remove the programs that may use the server over HTTP",
    "status": "Show the server and its runs",
    "doctor": "Check which wallet would pay, and whether this machine is ready",
    "init": "Set up oneseat: answer a few questions, get your settings",
    "key": "Store, list and remove API keys",
    "config": "Check your settings, show what is in force, and edit them",
    "demo": "Watch a run and the billing gate on a simulator",
    "simulator": "Start a local server that simulates the vendors",
    "completion": "Print the completion script for your shell",
    "help": "Print the help of a command",
}


class _Lazy(click.Group):
    """A group that loads the module of a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"oneseat.cli.commands.{cmd_name}").command
        gc_control.begin()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(_no_such_command(args[0]), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        # The short texts stand here, so `--help` need not load any command.
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _no_such_command(name: str) -> str:
    return f"No such command: `{name}`" + _did_you_mean(*_nearest(name, _COMMANDS))


@click.group(
    cls=_Lazy,
    # Without a command, click would raise the whole help text as an error message.
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Start here: `oneseat doctor`, then `oneseat run "say hello"`.',
)
@click.version_option(__version__, prog_name="oneseat", message="%(prog)s %(version)s")
@click.pass_context
def oneseat(ctx: click.Context) -> None:
    """Use the AI assistants you already pay for from your own scripts.

    oneseat drives the official command-line programs with your own login, checks which wallet would pay before
    anything is sent, and keeps a receipt of every run.
    """
    if ctx.invoked_subcommand is None:
        echo(ctx.get_help())


def entry(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code. No traceback reaches a user."""
    fill_standard_streams()
    try:
        code = oneseat.main(args=list(arguments), prog_name="oneseat", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError, Exception) as error:  # noqa: BLE001 - the last stop before a traceback
        return report(explain(error, arguments), arguments)
    return code if isinstance(code, int) else 0


def explain(error: BaseException, arguments: Sequence[str]) -> ErrorInfo:
    """The error that a user sees for an exception."""
    match error:
        case OneseatError():
            return error.info
        case click.UsageError():
            return _usage(error, arguments)
        case click.Abort() | KeyboardInterrupt() | asyncio.CancelledError():
            return ErrorInfo(code="cancelled", message="Cancelled")
        case _:
            return _bug(error)


def _usage(error: click.UsageError, arguments: Sequence[str]) -> ErrorInfo:
    command = f"oneseat {arguments[0]}" if arguments[:1] and arguments[0] in _COMMANDS else "oneseat"
    if error.ctx is not None:
        command = error.ctx.command_path
    return ErrorInfo(
        code="usage.arguments",
        message=re.sub(r"'([^']*)'", r"`\1`", _message(error).rstrip(".")),
        hint=f"See the options: `{command} --help`",
    )


def _message(error: click.UsageError) -> str:
    """What is wrong, with the nearest name where there is one: the first guess is mostly right, and more are no help."""
    match error:
        case click.NoSuchOption() | click.NoSuchCommand():
            # Without click's own guesses, of which there may be three.
            return error.message.rstrip(".") + _did_you_mean(*(error.possibilities or ())[:1])
        case click.BadParameter(param=click.Parameter(type=click.Choice() as kind)):
            typed = re.search(r"'([^']*)' is not one of", error.message)
            near = _nearest(typed[1], map(str, kind.choices)) if typed else ()
            return error.format_message().rstrip(".") + _did_you_mean(*near)
        case _:
            return error.format_message()


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # noqa: PLC0415 - only a typo needs it

    return get_close_matches(name, known, n=1)


def _did_you_mean(*near: str) -> str:
    return f"\n  did you mean `{near[0]}`" if near else ""


def _bug(error: BaseException) -> ErrorInfo:
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return ErrorInfo(
        code="bug.unexpected",
        message=f"oneseat failed: {type(error).__name__} at {place}",
        hint="Please report it with the command you typed and `oneseat --version`",
        whose_turn="bug",
    )


def report(info: ErrorInfo, arguments: Sequence[str]) -> int:
    """Print an error in the form that the arguments ask for; returns the exit code."""
    print_error(info, _form(arguments))
    return exit_code(info.code)


def _form(arguments: Sequence[str]) -> OutputFormat:
    """The output format that the arguments ask for, also where they cannot be parsed."""
    options = list(arguments)
    if "--" in options:
        options = options[: options.index("--")]
    return "json" if "--json" in options else "stream-json" if "--stream-json" in options else "text"
