"""Calls a caller's own function as a tool: its result or its error becomes text for the model."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from oneseat._util import tolerant
from oneseat.contract.request import Function

#: A larger result would fill the model's context many times over.
_MAX_RESULT_BYTES = 1_000_000
_ERROR_CHARS = 2000


class CallResult(NamedTuple):
    """What the model gets."""

    text: str
    is_error: bool = False


async def call_function(function: Function, given: object, clean: Callable[[str], str]) -> CallResult:
    """Call ``function`` with the model's arguments; ``clean`` redacts an error. Raises nothing but its own cancellation."""
    is_error = False
    try:
        work = function.bind(given)
        is_async = inspect.iscoroutinefunction(function.function)
        returned = work() if is_async else await _in_thread(work)
        if inspect.isawaitable(returned):
            returned = await returned
        if isinstance(returned, CallResult):
            returned, is_error = returned
        text = returned if isinstance(returned, str) else _as_json(returned)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is None or task.cancelling():
            raise
        return CallResult("The function was cancelled", is_error=True)
    except Exception as error:  # noqa: BLE001 - any error goes to the model, and the run continues
        words = tolerant.without_halves(clean(_error_text(error)))
        return CallResult(words[:_ERROR_CHARS], is_error=True)
    text = tolerant.without_halves(text)
    size = len(text.encode())
    if size > _MAX_RESULT_BYTES:
        return CallResult(f"The result is too large: {size:,} of {_MAX_RESULT_BYTES:,} bytes", is_error=True)
    return CallResult(text, is_error=is_error)


def _as_json(returned: object) -> str:
    try:
        return msgspec.json.encode(returned).decode()
    except UnicodeEncodeError:
        # The function has done its work: told of an error, the model would call it again.
        return tolerant.encode(msgspec.to_builtins(returned)).decode()


def _error_text(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception whose text fails too; without an answer the model would wait for ever
        return type(error).__name__


async def _in_thread(work: Callable[[], Any]) -> Any:
    """Call ``work`` in a daemon thread: a pool's thread would block the program's exit if it never returned."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(outcome)
        else:
            future.set_exception(error)

    def run() -> None:
        outcome: Any = None
        failure: BaseException | None = None
        try:
            outcome = context.run(work)
        except BaseException as error:  # noqa: BLE001 - SystemExit and the like end this thread only
            # A future refuses StopIteration, and would never be done.
            usual = isinstance(error, Exception) and not isinstance(error, StopIteration)
            failure = error if usual else RuntimeError(_error_text(error))
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits for this
            loop.call_soon_threadsafe(settle, outcome, failure)

    threading.Thread(target=run, name="oneseat-function", daemon=True).start()
    return await future
