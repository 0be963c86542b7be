"""The library: run a prompt and get a result with its receipt, in plain or in async code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from oneseat.assembly import (
    MAX_INPUT_BYTES,
    LedgerReader,
    RunFilter,
    RunSummary,
    StoredEvent,
    StoredRun,
    decode_attachment,
    decode_text,
    find_cli,
    opened_app,
    read_attachment,
    read_ledger,
    read_text,
)
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.failure import RunFailed
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Attachment, Purpose, Request
from oneseat.engine.runs import App

__all__ = [
    "MAX_INPUT_BYTES",
    "App",
    "LedgerReader",
    "RunFilter",
    "RunSummary",
    "StoredEvent",
    "StoredRun",
    "check_text",
    "connect",
    "decode_attachment",
    "decode_text",
    "find_cli",
    "make_request",
    "opened_app",
    "read_attachment",
    "read_ledger",
    "read_text",
    "run",
]


def run(
    prompt: str,
    *,
    system: str | None = None,
    model: str | None = None,
    files: Iterable[str | Path] = (),
    timeout_s: float | None = None,
    cwd: str | Path | None = None,
    check: bool = True,
) -> RunResult:
    """Send one prompt on the owner's seat and wait for the answer.

    ``files`` are attached (text, images, PDF); ``timeout_s`` bounds the whole run in seconds; ``cwd`` is the directory the
    run belongs to. Raises ``RunFailed`` when there is no answer to trust, unless ``check`` is false; ``UsageError`` when the
    input, the settings or the ledger cannot be used. Works inside a running event loop too (a notebook, say).
    """
    request = make_request(
        prompt,
        system=system,
        model=model,
        attachments=[read_attachment(Path(file)) for file in files],
        timeout_s=timeout_s,
        cwd=cwd,
    )
    result = _in_own_loop(request)
    if check and result.error is not None:
        raise RunFailed(result.error, result)
    return result


@asynccontextmanager
async def connect(env: Mapping[str, str] | None = None) -> AsyncIterator[App]:
    """An ``App`` for async code: ``async with oneseat.connect() as app: result = await app.run(request)``.

    ``env`` replaces the environment that settings and credentials are looked for in. Raises ``UsageError`` when the
    settings or the ledger cannot be used.
    """
    async with opened_app(env) as app:
        yield app


def make_request(
    prompt: str,
    *,
    system: str | None = None,
    model: str | None = None,
    attachments: Iterable[Attachment] = (),
    timeout_s: float | None = None,
    cwd: str | Path | None = None,
    purpose: Purpose | None = None,
) -> Request:
    """Check the input and make a request of it.

    Raises ``UsageError``: ``usage.empty_prompt``, ``usage.too_large``, ``usage.invalid_utf8``, ``usage.unknown_model``,
    ``usage.bad_directory``.
    """
    if not prompt.strip():
        raise UsageError(
            ErrorInfo(
                code="usage.empty_prompt",
                message="The prompt is empty",
                hint='Give one: `oneseat run "say hello"`',
            )
        )
    check_text(prompt, "the prompt")
    if system is not None:
        check_text(system, "the instructions")
    if model is not None and not (model.strip() and model.isprintable()):
        raise UsageError(
            ErrorInfo(
                code="usage.unknown_model",
                message=f"Not the name of a model: `{model}`",
                hint="Name one, or leave it out: `oneseat run --model sonnet ...`",
            )
        )
    return Request(
        prompt=prompt,
        cwd=_directory(cwd),
        system=system,
        model=model,
        attachments=tuple(attachments),
        purpose=purpose or Purpose(),
        timeout_s=timeout_s,
    )


def check_text(text: str, what: str) -> str:
    """Return ``text`` when it can be sent as UTF-8 within the size limit; else raise ``UsageError``.

    Bytes of a command line that are not UTF-8 arrive as lone surrogates, which no JSON can carry.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.invalid_utf8",
                message=f"The text is not UTF-8: `{what}`\n  {_half_character(text, error.start)}",
            )
        ) from error
    decode_text(data, what)
    return text


def _half_character(text: str, index: int) -> str:
    code = ord(text[index])
    # Python stands each byte that is not UTF-8 in this range.
    what = f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"half a character (U+{code:04X})"
    return f"there is {what} after {index} characters"


def _directory(cwd: str | Path | None) -> str:
    try:
        path = Path.cwd() if cwd is None else Path(cwd).expanduser().absolute()
        found = path.is_dir()
    except OSError:
        found, path = False, Path(cwd or ".")
    if not found:
        raise UsageError(
            ErrorInfo(code="usage.bad_directory", message=f"There is no such directory: `{path}`")
        )
    if not _is_unicode(str(path)):
        # The official CLI would look for another directory, and say that it does not exist.
        why = "the official CLI cannot work in a directory whose name is not UTF-8"
        raise UsageError(
            ErrorInfo(code="usage.bad_directory", message=f"This directory cannot be used: `{path}`\n  {why}")
        )
    return str(path)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _in_own_loop(request: Request) -> RunResult:
    async def work() -> RunResult:
        async with opened_app() as app:
            return await app.run(request)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    # A loop cannot be entered twice: where one runs already, as in a notebook, the run gets a thread and a loop of its own.
    return _in_thread(work)


def _in_thread(work: Callable[[], Coroutine[None, None, RunResult]]) -> RunResult:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="oneseat-run", daemon=True)
    thread.start()
    future = asyncio.run_coroutine_threadsafe(work(), loop)
    try:
        return future.result()
    finally:
        # Also on Ctrl-C: the run is cancelled and its processes are gone before the interrupt goes on.
        future.cancel()
        asyncio.run_coroutine_threadsafe(_settle(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _settle() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
