"""``oneseat chat``."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import click

from oneseat.app import Installation
from oneseat.app.requests import attachment
from oneseat.app.wiring import App, opened_app
from oneseat.cli.options.request import OF_ONE_RUN, read_message, request_options
from oneseat.cli.output import CANCELLED, Output, check_stdout, complain
from oneseat.cli.terminal.event_loop import run_stoppable
from oneseat.cli.terminal.showing import ask_owner, show_run
from oneseat.cli.terminal.status_line import StatusLine
from oneseat.cli.terminal.typed import Typed
from oneseat.cli.views.error import error_text
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError, exit_code
from oneseat.contract.receipt import RunResult

_COMMANDS = {
    "/model NAME": "Let another model answer from now on; without NAME, say which one answers",
    "/file PATH": "Attach a file to the next message; without PATH, list what is attached",
    "/help": "Print this list",
    "/end": "End the conversation, as Ctrl-D does",
}
_WELCOME = "Type a message, or /help. Ctrl-C stops an answer; /end or Ctrl-D ends the conversation.\n"


@click.command(
    "chat",
    epilog="""\b
Examples:
  oneseat chat
  oneseat chat -m opus -s "Be brief"
  printf 'one\\ntwo\\n' | oneseat chat

Exit codes: 0 ended, else those of `oneseat run`. On a pipe, each line is a message, and the first failure ends it.""",
)
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each answer.")
@click.option("-q", "--quiet", is_flag=True, help="No receipt and no status line on stderr.")
def command(*, as_json: bool, quiet: bool, **options: Any) -> int:
    """Talk with your assistant: each line you type is a message, and each answer has its own receipt.

    The wallet that pays is checked before each message, as in `oneseat run`; budgets and policy are the same. Nothing of
    the conversation is kept but its runs in the ledger.
    """
    check_stdout()
    output = Output("json" if as_json else "text", quiet)
    # Before anything is started: the first message may be long in coming.
    read_message("(none)", (), options)
    return run_stoppable(_talk(options, output))


async def _talk(options: dict[str, Any], output: Output) -> int:
    def say(line: str) -> None:
        if not output.quiet:
            complain(line + "\n")

    typed = Typed()
    if typed.at_terminal and not output.quiet:
        complain(_WELCOME)
    async with (
        opened_app(Installation(), as_command=True, say=say) as app,
        app.conversation(options["provider"], options["key"]) as talk,
    ):
        return await _Chat(talk, options, output, typed).to_the_end()


command.params = [each for each in command.params if each.name not in OF_ONE_RUN]


class _Chat:
    """One conversation with the person at the terminal, or with a pipe."""

    def __init__(self, talk: App, options: dict[str, Any], output: Output, typed: Typed) -> None:
        self._talk = talk
        self._options = options
        self._output = output
        self._typed = typed
        self._files: list[str] = []
        self._over = False

    async def to_the_end(self) -> int:
        """Answer each message; returns the exit code."""
        for line in self._typed.lines():
            code = 0
            try:
                if line.startswith("/"):
                    if self._command(*line[1:].split(maxsplit=1)):
                        break
                else:
                    code = await self._answer(line)
            except OneseatError as error:
                complain(error_text(error.info))
                code = exit_code(error.info.code)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                return code or CANCELLED  # by another signal: the answer has been shown as far as it came
            if self._over or (code != 0 and not self._typed.at_terminal):
                return code
        return 0

    async def _answer(self, text: str) -> int:
        request = read_message(text, tuple(self._files), self._options)
        self._files.clear()
        status = StatusLine(enabled=not self._output.quiet)
        ask = functools.partial(ask_owner, status) if sys.stderr.isatty() else None
        showing = asyncio.create_task(show_run(self._talk.stream(request, ask=ask), self._output, status))
        with self._stopped_by_ctrl_c(showing):
            result = await showing
        return 0 if result.error is None else exit_code(result.error.code)

    @contextlib.contextmanager
    def _stopped_by_ctrl_c(self, showing: asyncio.Task[RunResult]) -> Iterator[None]:
        """Let Ctrl-C stop this answer and nothing else where a person can go on; a second one ends the conversation."""
        if not self._typed.at_terminal or sys.platform == "win32":
            yield
            return

        def stop() -> None:
            self._over = showing.cancelling() > 0
            showing.cancel()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, stop)
        try:
            yield
        except asyncio.CancelledError:
            if not showing.cancelled():
                raise
            complain("\n")
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    def _command(self, name: str = "", value: str = "") -> bool:
        """Do what a line with a slash says; whether the conversation ends."""
        match name:
            case "end":
                return True
            case "model":
                self._model(value.strip())
            case "file":
                self._file(value.strip())
            case "help":
                complain("".join(f"  {each:<12}  {meaning}\n" for each, meaning in _COMMANDS.items()))
            case _:
                raise UsageError(
                    ErrorInfo(
                        code="usage.arguments",
                        message=f"No such command: `/{name}`\n  a message that begins with a slash needs a space before it",
                        hint="See what there is: `/help`",
                    )
                )
        return False

    def _model(self, name: str) -> None:
        if name:
            read_message("(none)", (), {**self._options, "model": name})
            self._options["model"] = name
        complain(f"model: {self._options['model'] or 'the default'}\n")

    def _file(self, path: str) -> None:
        if path:
            # Alone, a dash is standard input for the options of a run; here it can only be a file of that name.
            path = f".{os.sep}-" if path == "-" else os.path.expanduser(path)  # noqa: PTH111 - Path raises without a home
            attachment(path)
            self._files.append(path)
        complain(f"attached to the next message: {', '.join(self._files) or 'nothing'}\n")
