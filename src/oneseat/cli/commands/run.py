"""``oneseat run``."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import click
import msgspec

from oneseat.app import Installation
from oneseat.app.wiring import RunStream, opened_app
from oneseat.cli.options.prompt import PromptCommand
from oneseat.cli.options.request import read_request, request_options
from oneseat.cli.output import CANCELLED, Form, Output, check_stdout, complain, output_failed
from oneseat.cli.terminal.event_loop import canceller, run_stoppable
from oneseat.cli.terminal.questions import OWNER_SAID_NO, ask_at_terminal
from oneseat.cli.terminal.remote_run import run_remotely
from oneseat.cli.terminal.shown import Note, Pieces, Shown
from oneseat.cli.terminal.status_line import PERIOD_S, StatusLine
from oneseat.cli.terminal.stdout import Sink
from oneseat.cli.views.error import print_error
from oneseat.contract.errors import ErrorInfo, exit_code
from oneseat.contract.events import Question
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Permission, Request

#: How long a result may take to be printed after a stop signal, in seconds.
_PRINTING_S = 1.0


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


def _form(*, as_json: bool, stream_json: bool) -> Form:
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
            asker = functools.partial(_ask_owner, status) if sys.stderr.isatty() else None
            result = await _drive(app.stream(request, ask=asker), output, status)
    except asyncio.CancelledError:
        if result is None:
            raise
    # Else the result has been printed: a stop signal while the app is closed must not add a second one.
    return result


async def _drive(stream: RunStream, output: Output, status: StatusLine) -> RunResult:
    """Run and show. A cancelled run has a result and is shown like any other."""
    cancel = canceller(asyncio.current_task())
    sink = Sink(sys.stdout.fileno(), on_gone=lambda: cancel() if stream.result is None else None)
    shown = Shown(output, status)
    async with _ticking(status):
        try:
            async with stream:
                async for event in stream:
                    await _write(sink, status, shown.event(event))
        except (
            asyncio.CancelledError,
            Exception,
        ):  # even after a bug, show what was received, with its receipt
            if stream.result is None:
                raise
    if stream.result is None:
        raise asyncio.CancelledError
    await _to_the_end(_show_result(stream.result, sink, shown, status), stream.run_id)
    if sink.failure is not None:
        raise output_failed(sink.failure, stream.run_id)
    return stream.result


async def _show_result(result: RunResult, sink: Sink, shown: Shown, status: StatusLine) -> None:
    await _write(sink, status, shown.result(result))
    await sink.flush()
    await _write(sink, status, shown.ending(result, written=sink.failure is None))
    await sink.close()


async def _to_the_end(showing: Coroutine[Any, Any, None], run_id: str) -> None:
    """Print the result of a run that has ended. A stop signal in the meantime only stops the wait for a reader that reads nothing.

    Half a result, with the error of a cancelled command behind it, would be no JSON and no answer.
    """
    task = asyncio.ensure_future(showing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        if not (await asyncio.wait({task}, timeout=_PRINTING_S))[0]:
            # On stderr only: stdout takes nothing more.
            print_error(_unread(run_id), "text")
            raise click.exceptions.Exit(CANCELLED) from None


def _unread(run_id: str) -> ErrorInfo:
    return ErrorInfo(
        code="cancelled",
        message="Cancelled while the answer was being printed",
        hint=f"Look for the answer in the ledger: `oneseat show {run_id} --json`",
    )


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


async def _ask_owner(status: StatusLine, question: Question) -> Permission:
    """Put a question to the controlling terminal; anything but a clear yes is a no."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def settle(allowed: bool) -> None:
        if not answer.done():
            answer.set_result(allowed)

    def work() -> None:
        with status.asking():
            allowed = ask_at_terminal(question)
        with contextlib.suppress(RuntimeError):  # the run was cancelled and the loop is closed
            loop.call_soon_threadsafe(settle, allowed)

    # A daemon thread: a cancelled run must not wait for a key press.
    threading.Thread(target=work, name="oneseat-question", daemon=True).start()
    return Permission(allowed=await answer, why=OWNER_SAID_NO)
