"""The library: run a prompt and get a result with its receipt, in plain or in async code."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.failure import RunFailed
from oneseat.contract.permission import Asker
from oneseat.contract.ports import Observer
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Attachment, McpServer, ProjectUse, Purpose, Request, Tools
from oneseat.contract.session import Session
from oneseat.engine.app import App
from oneseat.host.files import MAX_INPUT_BYTES, decode_attachment, decode_text, read_attachment, read_text
from oneseat.rules import tool_profiles
from oneseat.rules.functions import functions_of
from oneseat.rules.schemas import check_schema, schema_of

if TYPE_CHECKING:
    from oneseat.assembly import (
        LedgerReader,
        Project,
        RunFilter,
        RunSummary,
        StoredEvent,
        StoredRun,
        await_end,
        end_sessions,
        find_cli,
        read_ledger,
        serve_folder,
    )
    from oneseat.named import Client, find_client, find_project

__all__ = [
    "MAX_INPUT_BYTES",
    "App",
    "Client",
    "LedgerReader",
    "Project",
    "RequestOptions",
    "RunFilter",
    "RunSummary",
    "Session",
    "StoredEvent",
    "StoredRun",
    "await_end",
    "check_text",
    "choose_tools",
    "connect",
    "decode_attachment",
    "decode_text",
    "end_sessions",
    "find_cli",
    "find_client",
    "find_project",
    "in_project",
    "make_request",
    "opened_app",
    "read_attachment",
    "read_ledger",
    "read_schema",
    "read_text",
    "run",
    "serve_folder",
]


def __getattr__(name: str) -> Any:
    """The names of the machinery: settings, stores, providers. It is loaded with the first of them, or by the first run."""
    if name not in __all__:
        raise AttributeError(f"module 'oneseat.api' has no attribute {name!r}")
    from oneseat import assembly, named  # noqa: PLC0415 - a third of what all else takes, SQLite and psutil among it

    home = named if name in named.__all__ else assembly
    value = getattr(home, name)
    globals()[name] = value
    return value


class RequestOptions(TypedDict, total=False):
    """Everything about a request but its prompt; what is left out has its default.

    ``fallback_model`` answers when ``model`` is overloaded, not there, or its own usage window is full. ``attachments`` are
    sent along, see ``read_attachment``; ``timeout_s`` bounds the whole run in seconds; ``cwd`` is the directory the run
    belongs to; ``purpose`` says who asks and who reads, ``client`` for whom it is. ``tools`` is a profile (none, read, edit,
    all), a list of tool names with commas, or ``Tools``; ``schema`` is a JSON Schema or a Python type that the answer's
    structure must fit. ``mcp_servers`` is a ``{"mcpServers": {...}}`` mapping or the path of a JSON file that holds one;
    ``functions`` are Python functions with ``@oneseat.tool`` above them. Both offer tools to this run only. ``over_limit``
    lets the run begin although a usage window is so full that runs are paused. ``max_budget_usd`` is what the run may cost at
    list price, counted on a plan too, where nothing is charged; ``max_turns`` is how often it may ask the model. ``role``,
    ``provider`` or ``key`` say who serves it, see the guide on routing.
    """

    system: str | None
    model: str | None
    fallback_model: str | None
    attachments: Iterable[Attachment]
    timeout_s: float | None
    cwd: str | Path | None
    purpose: Purpose | None
    client: str | None
    tools: Tools | str
    schema: object
    mcp_servers: Mapping[str, object] | str | Path | None
    functions: Iterable[Callable[..., Any]]
    max_budget_usd: float | None
    max_turns: int | None
    over_limit: bool
    role: str | None
    provider: str | None
    key: str | None


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
    request = make_request(prompt, **options)
    result = _in_own_loop(request if project is None else in_project(request, project), ask)
    if check and result.error is not None:
        raise RunFailed(result.error, result)
    return result


@asynccontextmanager
async def opened_app(
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    *,
    observers: Sequence[Observer] = (),
    as_command: bool = False,
    warm: int = 0,
    say: Callable[[str], None] | None = None,
) -> AsyncIterator[App]:
    """An app whose runs use no CLI that nobody tested, unless the owner's settings say otherwise.

    ``say`` gets one line when a new version is about to be tried. The rest is as for ``assembly.opened_app``.
    """
    from oneseat import assembly  # noqa: PLC0415 - see `__getattr__`
    from oneseat.admission import Admission  # noqa: PLC0415 - as above

    snapshot = dict(os.environ if env is None else env)
    admission = Admission(snapshot, cwd or Path.cwd(), say)
    opening = assembly.opened_app(
        snapshot, cwd, observers=observers, as_command=as_command, warm=warm, admit=admission.check
    )
    async with opening as app:
        yield app


@asynccontextmanager
async def connect(
    env: Mapping[str, str] | None = None, *, observers: Sequence[Observer] = (), warm: int = 0
) -> AsyncIterator[App]:
    """An ``App`` for async code: ``async with oneseat.connect() as app: result = await app.run(request)``.

    ``env`` replaces the environment that settings and credentials are looked for in. ``observers`` look on at the runs, such
    as ``OtelObserver`` of ``oneseat.observers.otel``. ``warm`` is how many processes of the CLI are started ahead, so that a
    run need not wait half a second for one; each takes about 250 MB. Raises ``UsageError`` when the settings or the ledger
    cannot be used.
    """
    async with opened_app(env, observers=observers, warm=warm) as app:
        yield app


def make_request(prompt: str, **options: Unpack[RequestOptions]) -> Request:
    """Check the input and make a request of it.

    Raises ``UsageError``: ``usage.empty_prompt``, ``usage.too_large``, ``usage.invalid_utf8``, ``usage.unknown_model``,
    ``usage.bad_directory``, ``usage.unknown_tool``, ``usage.bad_schema``, ``usage.bypass_as_root``, ``usage.bad_mcp_config``,
    ``usage.bad_function``, ``usage.bad_budget``; ``TypeError`` for an option that does not exist.
    """
    strange = options.keys() - RequestOptions.__annotations__.keys()
    if strange:
        raise TypeError(f"make_request() got an unexpected option: {', '.join(sorted(strange))}")
    if not prompt.strip():
        raise UsageError(
            ErrorInfo(
                code="usage.empty_prompt",
                message="The prompt is empty",
                hint='Give one: `oneseat run "say hello"`',
            )
        )
    check_text(prompt, "the prompt")
    system, tools = options.get("system"), options.get("tools", "none")
    if system is not None:
        check_text(system, "the instructions")
    return Request(
        prompt=prompt,
        cwd=_directory(options.get("cwd")),
        system=system,
        model=_model(options.get("model")),
        fallback_model=_model(options.get("fallback_model")),
        attachments=tuple(options.get("attachments", ())),
        purpose=_purpose(options.get("purpose"), options.get("client")),
        client=options.get("client"),
        tools=_allowed(choose_tools(tools) if isinstance(tools, str) else tools),
        schema=_schema(options.get("schema")),
        timeout_s=options.get("timeout_s"),
        mcp_servers=_servers(options.get("mcp_servers"), os.environ),
        functions=functions_of(options.get("functions", ())),
        max_budget_usd=_dollars(options.get("max_budget_usd")),
        max_turns=_turns(options.get("max_turns")),
        over_limit=options.get("over_limit", False),
        role=options.get("role"),
        provider=options.get("provider"),
        key=options.get("key"),
    )


def _servers(
    given: Mapping[str, object] | str | Path | None, env: Mapping[str, str]
) -> tuple[McpServer, ...]:
    """The MCP servers of a mapping or of a file; ``env`` is where their variables and programs are looked for."""
    if given is None:
        return ()
    from oneseat.assembly import mcp_servers  # noqa: PLC0415 - see `__getattr__`

    if not isinstance(given, str | Path):
        return mcp_servers(given, "mcp_servers", env)
    path = Path(given).expanduser()
    try:
        config = msgspec.json.decode(read_text(path))
    except msgspec.DecodeError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.bad_mcp_config", message=f"The MCP configuration is not JSON: `{path}`\n  {error}"
            )
        ) from error
    return mcp_servers(config, str(path), env)


def _model(name: str | None) -> str | None:
    if name is None or (name.strip() and name.isprintable()):
        return name
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_model",
            message=f"Not the name of a model: `{name}`",
            hint="Name one, or leave it out: `oneseat run --model sonnet ...`",
        )
    )


def _dollars(amount: float | None) -> float | None:
    if amount is None or (0 < amount < math.inf and not isinstance(amount, bool)):
        return amount
    raise UsageError(
        ErrorInfo(
            code="usage.bad_budget",
            message=f"A budget is an amount in US dollars above 0: `{amount}`",
            hint="Give one, or leave it out: `oneseat run --max-budget-usd 0.50 ...`",
        )
    )


def _turns(turns: int | None) -> int | None:
    if turns is None or (turns >= 1 and not isinstance(turns, bool)):
        return turns
    raise UsageError(
        ErrorInfo(
            code="usage.bad_budget",
            message=f"A number of turns is 1 or more: `{turns}`",
            hint="Give one, or leave it out: `oneseat run --max-turns 10 ...`",
        )
    )


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
    from oneseat.named import find_project  # noqa: PLC0415 - see `__getattr__`

    project = find_project(name, env)
    tools = request.tools
    if tools == Tools():
        tools = _allowed(choose_tools(project.tools or "none", project.permission_mode, project.add_dirs))
    own = request.client is not None or request.purpose != Purpose()
    return msgspec.structs.replace(
        request,
        purpose=request.purpose if own else project.purpose.purpose(),
        cwd=_directory(project.directory),
        system=_instructions(project) if request.system is None else request.system,
        model=request.model or project.model,
        fallback_model=request.fallback_model or project.fallback_model,
        tools=tools,
        mcp_servers=request.mcp_servers or _servers(project.mcp_config, os.environ if env is None else env),
        max_budget_usd=request.max_budget_usd or project.max_budget_usd,
        max_turns=request.max_turns or project.max_turns,
        project=ProjectUse(
            name=project.name,
            new_session=new_session,
            wait_s=wait_s,
            day_budget_usd=project.day_budget_usd,
            month_budget_usd=project.month_budget_usd,
        ),
    )


def _purpose(stated: Purpose | None, client: str | None) -> Purpose:
    """What was stated counts, else what the settings say of the client; the owner's own where nobody says anything."""
    of_client = Purpose()
    if client is not None:
        from oneseat.named import find_client  # noqa: PLC0415 - see `__getattr__`

        of_client = find_client(client).purpose.purpose()
    return stated if stated is not None else of_client


def _instructions(project: Project) -> str | None:
    if project.system_file is None:
        return project.system
    return read_text(Path(project.system_file).expanduser())


def choose_tools(named: str, mode: str | None = None, directories: Iterable[str | Path] = ()) -> Tools:
    """Tools from a profile or a list, see ``make_request``; ``directories`` are opened in addition to the run's own.

    Raises ``UsageError``: ``usage.unknown_tool``, ``usage.unknown_permission_mode``, ``usage.bad_directory``.
    """
    return tool_profiles.choose_tools(named, mode, tuple(_directory(folder) for folder in directories))


def read_schema(path: Path) -> dict[str, Any]:
    """Read a JSON Schema from a file. Raises ``UsageError``: ``usage.bad_schema`` and those of ``read_text``."""
    try:
        value = msgspec.json.decode(read_text(path))
    except msgspec.DecodeError as error:
        raise UsageError(
            ErrorInfo(code="usage.bad_schema", message=f"The schema is not JSON: `{path}`\n  {error}")
        ) from error
    return check_schema(value, str(path))


def _allowed(tools: Tools) -> Tools:
    if tools.mode != "bypassPermissions":
        return tools
    from oneseat.assembly import is_root  # noqa: PLC0415 - see `__getattr__`

    if not is_root():
        return tools
    raise UsageError(
        ErrorInfo(
            code="usage.bypass_as_root",
            message="Permissions cannot be bypassed by root: `bypassPermissions`\n"
            "  the official CLI refuses it, because nothing would stand between the model and the whole machine",
            hint="Run it as another user, or allow tools by name: `--tools edit,Bash`",
        )
    )


def _schema(schema: object) -> dict[str, Any] | None:
    if schema is None:
        return None
    if isinstance(schema, type):
        return schema_of(schema)
    return check_schema(schema, "schema")


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


def _in_own_loop(request: Request, ask: Asker | None) -> RunResult:
    async def work() -> RunResult:
        async with opened_app() as app:
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
