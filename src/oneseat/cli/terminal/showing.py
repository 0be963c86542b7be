"""A run of this process, shown as it goes on, and the questions that it has for the person at the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from click.exceptions import Exit

from oneseat.app.wiring import RunStream
from oneseat.cli.output import CANCELLED, Output, output_failed
from oneseat.cli.views.error import print_error
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Question
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Permission

from .event_loop import canceller
from .questions import OWNER_SAID_NO, ask_at_terminal
from .shown import Note, Pieces, RunView
from .status_line import PERIOD_S, StatusLine
from .stdout import Sink

#: How long a result may take to be printed after a stop signal, in seconds.
_PRINTING_S = 1.0


async def show_run(stream: RunStream, output: Output, status: StatusLine) -> RunResult:
    """Run and show. A cancelled run has a result and is shown like any other."""
    cancel = canceller(asyncio.current_task())
    sink = Sink(sys.stdout.fileno(), on_gone=lambda: cancel() if stream.result is None else None)
    shown = RunView(output, status)
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


async def _show_result(result: RunResult, sink: Sink, shown: RunView, status: StatusLine) -> None:
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
            raise Exit(CANCELLED) from None


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


async def ask_owner(status: StatusLine, question: Question) -> Permission:
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
