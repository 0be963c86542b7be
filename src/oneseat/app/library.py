"""The library: run a prompt and get a result with its receipt, in plain or in async code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Unpack

from oneseat.contract.ports import Observer
from oneseat.contract.receipt import RunFailed, RunResult
from oneseat.contract.request import Asker, Request
from oneseat.engine.app import App
from oneseat.host.files import read_attachment
from oneseat.installation import Installation

from . import requests
from .requests import RequestOptions

__all__ = ["connect", "in_project", "make_request", "run"]


def run(
    prompt: str,
    *,
    files: Iterable[str | Path] = (),
    project: str | None = None,
    ask: Asker | None = None,
    check: bool = True,
    **options: Unpack[RequestOptions],
) -> RunResult:
    """Send one prompt on the owner's seat and wait for the answer.

    ``files`` are attached (text, images, PDF), ``options`` are those of ``make_request``. ``project`` names a project whose
    directory, tools and conversation the run has (see ``in_project``). ``ask`` answers when the assistant wants a tool that
    its permissions do not cover. Raises ``RunFailed`` when there is no answer to trust, unless ``check`` is false;
    ``UsageError`` when the input, the settings or the ledger cannot be used. Works inside a running event loop too.
    """
    options["attachments"] = [
        *options.get("attachments", ()),
        *(read_attachment(Path(file)) for file in files),
    ]
    here = Installation()
    request = requests.make_request(here, prompt, **options)
    if project is not None:
        request = requests.in_project(here, request, project)
    result = _in_own_loop(here, request, ask)
    if check and result.error is not None:
        raise RunFailed(result.error, result)
    return result


@asynccontextmanager
async def connect(
    env: Mapping[str, str] | None = None, *, observers: Sequence[Observer] = (), warm: int = 0
) -> AsyncIterator[App]:
    """An ``App`` for async code: ``async with oneseat.connect() as app: result = await app.run(request)``.

    ``env`` replaces the environment that settings and credentials are looked for in. ``observers`` are told of the runs, such
    as ``OtelObserver`` of ``oneseat.telemetry.otel``. ``warm`` is how many processes of the CLI are started ahead, so that a
    run need not wait half a second for one; each takes about 250 MB. Raises ``UsageError`` when the settings or the ledger
    cannot be used.
    """
    from .wiring import opened_app  # noqa: PLC0415 - SQLite, psutil and the providers: a third of what all else takes

    async with opened_app(Installation(env), observers=observers, warm=warm) as app:
        yield app


def make_request(prompt: str, **options: Unpack[RequestOptions]) -> Request:
    """Check the input and make a request of it.

    Raises ``UsageError``: ``usage.empty_prompt``, ``usage.too_large``, ``usage.invalid_utf8``, ``usage.unknown_model``,
    ``usage.bad_directory``, ``usage.unknown_tool``, ``usage.bad_schema``, ``usage.bypass_as_root``, ``usage.bad_mcp_config``,
    ``usage.bad_function``, ``usage.bad_budget``; ``TypeError`` for an option that does not exist.
    """
    return requests.make_request(Installation(), prompt, **options)


def in_project(
    request: Request,
    name: str,
    *,
    new_session: bool = False,
    wait_s: float = 0.0,
    env: Mapping[str, str] | None = None,
) -> Request:
    """The request as a run of the project ``name``, a ``[projects.NAME]`` table of the owner's oneseat.toml.

    It works in the project's directory and goes on with its conversation. Tools, MCP servers, instructions, model and
    bounds are the project's where the request has none of its own. ``new_session`` begins the conversation afresh;
    ``wait_s`` is how many seconds to wait while another run of the project goes on; ``env`` is where settings are looked
    for. Raises ``UsageError``: ``usage.unknown_project``, ``usage.bad_directory``, ``usage.bad_mcp_config``, and those of
    the settings and of ``choose_tools``.
    """
    return requests.in_project(Installation(env), request, name, new_session=new_session, wait_s=wait_s)


def _in_own_loop(here: Installation, request: Request, ask: Asker | None) -> RunResult:
    from .wiring import opened_app  # noqa: PLC0415 - see `connect`

    async def work() -> RunResult:
        async with opened_app(here) as app:
            return await app.run(request, ask=ask)

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
