"""Requests: the one way from what a caller gives to a checked ``Request``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.request import Attachment, McpServer, ProjectUse, Purpose, Request, Tools
from oneseat.host import files
from oneseat.host.paths import absolute_path, expand_home, working_directory
from oneseat.installation import Installation
from oneseat.rules.inputs import tools as tool_rules
from oneseat.rules.inputs.functions import functions_of
from oneseat.rules.inputs.schemas import check_schema, schema_of

if TYPE_CHECKING:
    from oneseat.settings import Project

__all__ = [
    "MAX_INPUT_BYTES",
    "RequestOptions",
    "attachment",
    "check_text",
    "choose_tools",
    "in_project",
    "input_text",
    "make_request",
    "read_schema",
]

#: The longest input, in bytes.
MAX_INPUT_BYTES = files.MAX_INPUT_BYTES


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


def make_request(here: Installation, prompt: str, **options: Unpack[RequestOptions]) -> Request:
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
        purpose=_purpose(here, options.get("purpose"), options.get("client")),
        client=options.get("client"),
        tools=_allowed(choose_tools(tools) if isinstance(tools, str) else tools),
        schema=_schema(options.get("schema")),
        timeout_s=options.get("timeout_s"),
        mcp_servers=_servers(here, options.get("mcp_servers")),
        functions=functions_of(options.get("functions", ())),
        max_budget_usd=_dollars(options.get("max_budget_usd")),
        max_turns=_turns(options.get("max_turns")),
        over_limit=options.get("over_limit", False),
        role=options.get("role"),
        provider=options.get("provider"),
        key=options.get("key"),
    )


def _servers(here: Installation, given: Mapping[str, object] | str | Path | None) -> tuple[McpServer, ...]:
    """The MCP servers of a mapping or of a file."""
    if given is None:
        return ()
    from oneseat.host.paths import find_program  # noqa: PLC0415 - most runs have no server
    from oneseat.rules.inputs.mcp_config import servers_of  # noqa: PLC0415 - as above

    if not isinstance(given, str | Path):
        return servers_of(given, "mcp_servers", here.env, find_program)
    path = expand_home(given)
    try:
        config = msgspec.json.decode(files.read_text(path))
    except msgspec.DecodeError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.bad_mcp_config", message=f"The MCP configuration is not JSON: `{path}`\n  {error}"
            )
        ) from error
    return servers_of(config, str(path), here.env, find_program)


def _model(name: str | None) -> str | None:
    if name is None or (name.strip() and name.isprintable()):
        return name
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_model",
            message=f"Not a model name: `{name}`",
            hint="Name a model, or omit the option: `oneseat run --model sonnet ...`",
        )
    )


def _dollars(amount: float | None) -> float | None:
    if amount is None or (0 < amount < math.inf and not isinstance(amount, bool)):
        return amount
    raise UsageError(
        ErrorInfo(
            code="usage.bad_budget",
            message=f"A budget must be more than 0 US dollars: `{amount}`",
            hint="Set one, or omit the option: `oneseat run --max-budget-usd 0.50 ...`",
        )
    )


def _turns(turns: int | None) -> int | None:
    if turns is None or (turns >= 1 and not isinstance(turns, bool)):
        return turns
    raise UsageError(
        ErrorInfo(
            code="usage.bad_budget",
            message=f"The number of turns must be 1 or more: `{turns}`",
            hint="Set one, or omit the option: `oneseat run --max-turns 10 ...`",
        )
    )


def in_project(
    here: Installation, request: Request, name: str, *, new_session: bool = False, wait_s: float = 0.0
) -> Request:
    """The request as a run of the project ``name``, a ``[projects.NAME]`` table of the owner's oneseat.toml.

    It works in the project's directory and goes on with its conversation. Tools, MCP servers, instructions, model and
    bounds are the project's where the request has none of its own. ``new_session`` begins the conversation afresh;
    ``wait_s`` is how many seconds to wait while another run of the project goes on. Raises ``UsageError``:
    ``usage.unknown_project``, ``usage.bad_directory``, ``usage.bad_mcp_config``, and those of the settings and of
    ``choose_tools``.
    """
    from .settings import find_project  # noqa: PLC0415 - most runs have no project, and reading settings loads much

    project = find_project(here, name)
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
        mcp_servers=request.mcp_servers or _servers(here, project.mcp_config),
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


def _purpose(here: Installation, stated: Purpose | None, client: str | None) -> Purpose:
    """What was stated counts, else what the settings say of the client; the owner's own where nobody says anything."""
    of_client = Purpose()
    if client is not None:
        from .settings import find_client  # noqa: PLC0415 - as in `in_project`

        of_client = find_client(here, client).purpose.purpose()
    return stated if stated is not None else of_client


def _instructions(project: Project) -> str | None:
    if project.system_file is None:
        return project.system
    return files.read_text(expand_home(project.system_file))


def choose_tools(named: str, mode: str | None = None, directories: Iterable[str | Path] = ()) -> Tools:
    """Tools from a profile or a list, see ``make_request``; ``directories`` are opened in addition to the run's own.

    Raises ``UsageError``: ``usage.unknown_tool``, ``usage.unknown_permission_mode``, ``usage.bad_directory``.
    """
    return tool_rules.choose_tools(named, mode, tuple(_directory(folder) for folder in directories))


def read_schema(path: Path) -> dict[str, Any]:
    """Read a JSON Schema from a file. Raises ``UsageError``: ``usage.bad_schema`` and those of ``input_text``."""
    try:
        value = msgspec.json.decode(files.read_text(path))
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(
            ErrorInfo(code="usage.bad_schema", message=f"The schema is not JSON: `{path}`\n  {error}")
        ) from error
    return check_schema(value, str(path))


def _allowed(tools: Tools) -> Tools:
    if tools.mode != "bypassPermissions":
        return tools
    from oneseat.host.processes.tree import is_root  # noqa: PLC0415 - loads psutil, and few runs bypass permissions

    if not is_root():
        return tools
    raise UsageError(
        ErrorInfo(
            code="usage.bypass_as_root",
            message="Root cannot bypass permissions: `bypassPermissions`\n"
            "  the official CLI refuses it, because the model could then change anything on this machine",
            hint="Run it as another user, or allow tools by name: `--tools edit,Bash`",
        )
    )


def _schema(schema: object) -> dict[str, Any] | None:
    if schema is None:
        return None
    if isinstance(schema, type):
        return schema_of(schema)
    return check_schema(schema, "schema")


def attachment(source: Path | str, data: bytes | None = None) -> Attachment:
    """A file to send along: an image, a PDF, or UTF-8 text; of ``data`` where that is given, else read from ``source``.

    Raises ``UsageError``: ``usage.unreadable_file``, ``usage.too_large``, ``usage.unsupported_file``.
    """
    return files.read_attachment(Path(source)) if data is None else files.decode_attachment(str(source), data)


def input_text(source: Path | str, data: bytes | None = None) -> str:
    """UTF-8 text without a byte order mark; of ``data`` where that is given, else read from ``source``.

    Raises ``UsageError``: ``usage.unreadable_file``, ``usage.too_large``, ``usage.invalid_utf8``.
    """
    return files.read_text(Path(source)) if data is None else files.decode_text(data, str(source))


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
    files.decode_text(data, what)
    return text


def with_input(prompt: str, data: bytes) -> str:
    """``prompt``, followed by what was on standard input beside it. Raises like ``input_text``."""
    return f"{prompt}\n\n{input_text('standard input', data)}" if data else prompt


def _half_character(text: str, index: int) -> str:
    code = ord(text[index])
    # Python stands each byte that is not UTF-8 in this range.
    what = (
        f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"an unpaired surrogate (U+{code:04X})"
    )
    return f"found {what} after {index} characters"


def _directory(cwd: str | Path | None) -> str:
    path = working_directory() if cwd is None else absolute_path(cwd)
    try:
        found = path.is_dir()
    except OSError:  # in a folder that this user may not enter
        found = False
    if not found:
        raise UsageError(ErrorInfo(code="usage.bad_directory", message=f"No such directory: `{path}`"))
    if not _is_unicode(str(path)):
        # The official CLI would look for another directory, and say that it does not exist.
        why = "the official CLI cannot work in a directory whose name is not UTF-8"
        raise UsageError(
            ErrorInfo(code="usage.bad_directory", message=f"Cannot use this directory: `{path}`\n  {why}")
        )
    return str(path)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
