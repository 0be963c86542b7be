"""The library: run a prompt and get a result with its receipt, in plain or in async code.

Every way in takes the same options, each written out as a keyword, so that `help`, editors and type checkers show them; a test
holds that the four signatures agree.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.ports import Observer
from oneseat.contract.receipt import Kind, RunFailed, RunResult, T
from oneseat.contract.request import ApprovalCallback, Attachment, PermissionMode, Purpose, Request, Tools
from oneseat.contract.routing import RouteReport
from oneseat.contract.warm import WarmProcess
from oneseat.engine import app as engine
from oneseat.engine.app import RunStream
from oneseat.installation import Installation

from . import requests
from .options import DEFAULTS, bad_value, checked, in_python_words

__all__ = ["App", "connect", "in_project", "make_request", "read_attachment", "run"]


def run(  # noqa: PLR0913 - its options are its documentation
    prompt: str | Request[T], *, ask: ApprovalCallback | None = None, check: bool = True, system: str | None = None,
    files: Iterable[str | Path | Attachment] = (), attachments: Iterable[Attachment] = (), schema: Kind[T] = None,
    model: str | None = None, fallback_model: str | None = None, role: str | None = None, provider: str | None = None,
    key: str | None = None, tools: Tools | str | Sequence[str] | None = None, permission_mode: PermissionMode | None = None,
    add_dirs: Iterable[str | Path] = (), mcp_servers: Mapping[str, object] | str | Path | None = None,
    functions: Iterable[Callable[..., Any]] = (), cwd: str | Path | None = None, project: str | None = None,
    session: str | None = None, resume: bool | str = False, new_session: bool = False, wait_s: float = 0.0,
    timeout_s: float | None = None, max_turns: int | None = None, max_budget_usd: float | None = None,
    over_limit: bool = False, purpose: Purpose | None = None, client: str | None = None,
) -> RunResult[T]:  # fmt: skip
    """Send one prompt on the owner's seat and wait for the answer. Works inside a running event loop too.

    - ``system``: instructions. ``files``: paths of text, images or PDFs to send along, ``attachments``: such files as read by
      ``read_attachment``. ``schema``: a type, or a JSON Schema, that the answer must fit; ``result.parsed`` is of it.
    - ``model``: its name or alias. ``fallback_model``: who answers when that one is overloaded, not there, or its own usage
      window is full. ``role``, ``provider``, ``key``: who serves the run, see the guide on routing.
    - ``tools``: a profile (none, read, edit, all), names of tools, or ``Tools``. ``permission_mode``: how questions about them
      are answered. ``ask``: answers those that remain. ``add_dirs``: directories that tools may use beside the run's own.
      ``mcp_servers``: ``{"mcpServers": {...}}``, or the path of such a file. ``functions``: functions with ``@oneseat.tool``.
    - ``cwd``: the directory of the run. ``project``: a project of oneseat.toml, with its directory, tools and conversation.
      ``session``: the name of a conversation in this directory, begun or gone on with. ``resume``: ``True`` for the last
      conversation of the directory, or the id of a session or run. ``new_session``: begin the conversation afresh.
      ``wait_s``: how many seconds to wait for another run of the same conversation.
    - ``timeout_s``: limit of the whole run in seconds. ``max_turns``: how often the model may be asked. ``max_budget_usd``: what
      the run may cost in US dollars at list price, which is counted on a plan too. ``over_limit``: run although a usage window
      is so full that runs are paused.
    - ``purpose``: who asks and who reads. ``client``: for which client of oneseat.toml the work is.

    Raises ``UsageError`` when the input, the settings or the ledger cannot be used and nothing was sent; ``RunFailed`` when
    there is no answer to trust, unless ``check`` is false. ``prompt`` may be a ``Request``, which holds its options.
    """
    options = _given(locals())
    here = Installation()
    with _python_words():
        request = _request(here, prompt, options)
        _check_ask(ask)
        result = _in_own_loop(here, request, ask)
    if check:
        _raise_for(result)
    return result


def make_request(  # noqa: PLR0913 - as for `run`
    prompt: str, *, system: str | None = None,
    files: Iterable[str | Path | Attachment] = (), attachments: Iterable[Attachment] = (), schema: Kind[T] = None,
    model: str | None = None, fallback_model: str | None = None, role: str | None = None, provider: str | None = None,
    key: str | None = None, tools: Tools | str | Sequence[str] | None = None, permission_mode: PermissionMode | None = None,
    add_dirs: Iterable[str | Path] = (), mcp_servers: Mapping[str, object] | str | Path | None = None,
    functions: Iterable[Callable[..., Any]] = (), cwd: str | Path | None = None, project: str | None = None,
    session: str | None = None, resume: bool | str = False, new_session: bool = False, wait_s: float = 0.0,
    timeout_s: float | None = None, max_turns: int | None = None, max_budget_usd: float | None = None,
    over_limit: bool = False, purpose: Purpose | None = None, client: str | None = None,
) -> Request[T]:  # fmt: skip
    """Check the input and make a request of it, to be sent later or more than once. Options as for ``oneseat.run``.

    Raises ``UsageError``: ``usage.arguments`` for a value of the wrong type or out of range, ``usage.no_prompt``,
    ``usage.empty_prompt``, ``usage.too_large``, ``usage.invalid_utf8``, ``usage.unknown_model``, ``usage.bad_directory``,
    ``usage.unreadable_file``, ``usage.unsupported_file``, ``usage.unknown_tool``, ``usage.unknown_permission_mode``,
    ``usage.bad_schema``, ``usage.bypass_as_root``, ``usage.bad_mcp_config``, ``usage.bad_function``, ``usage.bad_budget``,
    ``usage.unknown_project``, ``usage.unknown_client``, ``usage.no_such_session``, ``usage.no_such_run``, and those of the
    settings and the ledger.
    """
    options = _given(locals())
    with _python_words():
        return _request(Installation(), prompt, options)


def in_project(
    request: Request[T],
    name: str,
    *,
    new_session: bool = False,
    wait_s: float = 0.0,
    env: Mapping[str, str] | None = None,
) -> Request[T]:
    """The request as a run of the project ``name``, a ``[projects.NAME]`` table of the owner's oneseat.toml.

    It works in the project's directory and goes on with its conversation. Tools, MCP servers, instructions, model and
    bounds are the project's where the request has none of its own. ``new_session`` begins the conversation afresh;
    ``wait_s`` is how many seconds to wait while another run of the project goes on; ``env`` is where settings are looked
    for. Raises ``UsageError``: ``usage.unknown_project``, ``usage.bad_directory``, ``usage.bad_mcp_config``, and those of
    the settings and of ``choose_tools``.
    """
    with _python_words():
        if not isinstance(request, Request):
            raise bad_value("request", request, "a request as `oneseat.make_request` makes it")
        checked({"project": name, "new_session": new_session, "wait_s": wait_s})
        return requests.in_project(Installation(env), request, name, new_session=new_session, wait_s=wait_s)


def read_attachment(path: str | Path) -> Attachment:
    """Read a file to send along: an image, a PDF, or UTF-8 text.

    Raises ``UsageError``: ``usage.unreadable_file``, ``usage.too_large``, ``usage.unsupported_file``.
    """
    (checked_path,) = checked({"files": (path,)})["files"]
    return requests.attachment(checked_path)


@asynccontextmanager
async def connect(
    env: Mapping[str, str] | None = None, *, observers: Sequence[Observer] = (), warm: int = 0
) -> AsyncIterator[App]:
    """An ``App`` for async code: ``async with oneseat.connect() as app: result = await app.run("hello")``.

    ``env`` replaces the environment that settings and credentials are looked for in. ``observers`` are told of the runs, such
    as ``OtelObserver`` of ``oneseat.telemetry.otel``. ``warm`` is how many processes of the CLI are started ahead, so that a
    run need not wait half a second for one; each takes about 250 MB. Raises ``UsageError`` when the settings or the ledger
    cannot be used.
    """
    from .wiring import opened_app  # noqa: PLC0415 - SQLite, psutil and the providers: a third of what all else takes

    _check_connect(env, observers, warm)
    here = Installation(env)
    async with contextlib.AsyncExitStack() as opened:
        with _python_words():
            app = await opened.enter_async_context(
                opened_app(here, observers=observers, warm=warm, words=in_python_words)
            )
        yield App(app, here)


class App:
    """Does runs, several side by side. ``oneseat.connect`` makes one; it keeps no state between runs."""

    def __init__(self, app: engine.App, here: Installation) -> None:
        self._app = app
        self._here = here

    @property
    def idle(self) -> tuple[WarmProcess, ...]:
        """The processes that were started ahead and wait for a run."""
        return self._app.idle

    async def idle_change(self) -> None:
        """Wait until ``idle`` has changed; for ever where nothing is started ahead."""
        await self._app.idle_change()

    @asynccontextmanager
    async def conversation(self, provider: str | None = None, key: str | None = None) -> AsyncIterator[App]:
        """One conversation: each run in it continues where the run before has ended, without waiting for a process to start.

        Each message is a run with a receipt of its own, and who pays is checked anew. Instructions, schema, tools and
        directory are those of the first message; a run that changes one ends with ``usage.conversation_changed``. ``provider``
        or the API key named ``key`` holds it, the seat by default; its messages name the same. Raises ``UsageError`` for one
        that is not there.
        """
        async with contextlib.AsyncExitStack() as opened:
            with _python_words():
                held = await opened.enter_async_context(self._app.conversation(provider, key))
            yield App(held, self._here)

    async def route(self, prompt: str | Request[Any]) -> RouteReport:
        """Who would serve a request now, and why not the others; nothing is sent.

        Raises ``UsageError`` for unknown names, and ``OneseatError`` for a request that the policy refuses.
        """
        with _python_words():
            return await self._app.route(_request(self._here, prompt, {}))

    def stream(  # noqa: PLR0913 - as for `oneseat.run`
        self, prompt: str | Request[T], *, ask: ApprovalCallback | None = None, run_id: str | None = None,
        system: str | None = None,
        files: Iterable[str | Path | Attachment] = (), attachments: Iterable[Attachment] = (), schema: Kind[T] = None,
        model: str | None = None, fallback_model: str | None = None, role: str | None = None, provider: str | None = None,
        key: str | None = None, tools: Tools | str | Sequence[str] | None = None,
        permission_mode: PermissionMode | None = None, add_dirs: Iterable[str | Path] = (),
        mcp_servers: Mapping[str, object] | str | Path | None = None, functions: Iterable[Callable[..., Any]] = (),
        cwd: str | Path | None = None, project: str | None = None, session: str | None = None,
        resume: bool | str = False, new_session: bool = False, wait_s: float = 0.0, timeout_s: float | None = None,
        max_turns: int | None = None, max_budget_usd: float | None = None, over_limit: bool = False,
        purpose: Purpose | None = None, client: str | None = None,
    ) -> RunStream[T]:  # fmt: skip
        """A run whose events are read as they come. Nothing starts before the first event is asked for.

        ``async with app.stream("hello") as run: async for event in run: ...``; afterwards ``run.result`` is set, whatever its
        ``status`` and ``error``. Options as for ``oneseat.run``. Raises ``UsageError`` like ``make_request``.
        """
        options = _given(locals())
        with _python_words():
            request = _request(self._here, prompt, options)
            _check_ask(ask)
        return self._app.stream(request, ask=ask, run_id=run_id)

    async def run(  # noqa: PLR0913 - as for `oneseat.run`
        self, prompt: str | Request[T], *, ask: ApprovalCallback | None = None, check: bool = False, system: str | None = None,
        files: Iterable[str | Path | Attachment] = (), attachments: Iterable[Attachment] = (), schema: Kind[T] = None,
        model: str | None = None, fallback_model: str | None = None, role: str | None = None, provider: str | None = None,
        key: str | None = None, tools: Tools | str | Sequence[str] | None = None,
        permission_mode: PermissionMode | None = None, add_dirs: Iterable[str | Path] = (),
        mcp_servers: Mapping[str, object] | str | Path | None = None, functions: Iterable[Callable[..., Any]] = (),
        cwd: str | Path | None = None, project: str | None = None, session: str | None = None,
        resume: bool | str = False, new_session: bool = False, wait_s: float = 0.0, timeout_s: float | None = None,
        max_turns: int | None = None, max_budget_usd: float | None = None, over_limit: bool = False,
        purpose: Purpose | None = None, client: str | None = None,
    ) -> RunResult[T]:  # fmt: skip
        """Run to the end and return the result, whatever its ``status`` and ``error``. Options as for ``oneseat.run``.

        Raises ``UsageError`` like ``make_request``; with ``check`` also what ``oneseat.run`` raises.
        """
        options = _given(locals())
        with _python_words():
            request = _request(self._here, prompt, options)
            _check_ask(ask)
        result = await self._app.run(request, ask=ask)
        if check:
            _raise_for(result)
        return result


def _given(names: Mapping[str, Any]) -> dict[str, Any]:
    """The options among the arguments of a call, without those that are left out."""
    return {
        name: names[name]
        for name, default in DEFAULTS.items()
        if type(names[name]) is not type(default) or names[name] != default
    }


def _request(here: Installation, prompt: str | Request[T], options: dict[str, Any]) -> Request[T]:
    if not isinstance(prompt, Request):
        return requests.make_request(here, prompt, **options)
    if options:
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message=f"A request holds its options: `{', '.join(options)}`\n  it was given them beside a `Request`",
                hint=f"Give them where it is made: `oneseat.make_request(..., {next(iter(options))}=...)`",
            )
        )
    return requests.check_request(prompt)


def _check_ask(ask: object) -> None:
    if ask is not None and not callable(ask):
        raise bad_value("ask", ask, "a function that is called with each question")


def _check_connect(env: object, observers: object, warm: object) -> None:
    if env is not None and not isinstance(env, Mapping):
        raise bad_value("env", env, "a mapping of variables, such as `os.environ`")
    if not isinstance(observers, Sequence) or not all(
        callable(getattr(each, "watch", None)) for each in observers
    ):
        raise bad_value("observers", observers, "a list of objects with a method `watch`")
    if isinstance(warm, bool) or not isinstance(warm, int) or warm < 0:
        raise bad_value("warm", warm, "a whole number, 0 or more")


def _raise_for(result: RunResult[Any]) -> None:
    """Raise what a run ended with: the caller's mistake where nothing was sent because of it, else ``RunFailed``."""
    if result.error is None:
        return
    if result.error.code.startswith("usage.") and result.receipt.verdict == "nothing_sent":
        raise UsageError(result.error)
    raise RunFailed(result.error, result)


@contextlib.contextmanager
def _python_words() -> Iterator[None]:
    try:
        yield
    except OneseatError as error:
        error.info = in_python_words(error.info)
        raise


def _in_own_loop(here: Installation, request: Request[T], ask: ApprovalCallback | None) -> RunResult[T]:
    from .wiring import opened_app  # noqa: PLC0415 - see `connect`

    async def work() -> RunResult[T]:
        async with opened_app(here, words=in_python_words) as app:
            return await app.run(request, ask=ask)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    # A loop cannot be entered twice: where one runs already, as in a notebook, the run gets a thread and a loop of its own.
    return _in_thread(work)


def _in_thread(work: Callable[[], Coroutine[None, None, RunResult[T]]]) -> RunResult[T]:
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
