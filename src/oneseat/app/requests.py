"""Requests: the one way from what a caller gives to a checked ``Request``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.receipt import AnswerShape, T
from oneseat.contract.request import Attachment, McpServer, ProjectUse, Purpose, Request, SessionUse, Tools
from oneseat.host import files
from oneseat.host.paths import absolute_path, expand_home, working_directory
from oneseat.installation import Installation
from oneseat.rules.inputs import tools as tool_rules
from oneseat.rules.inputs.answers import answer_of
from oneseat.rules.inputs.functions import functions_of
from oneseat.rules.inputs.schemas import check_schema
from oneseat.rules.inputs.tools import with_permissions

from .options import DEFAULTS, checked, exclude, shown

if TYPE_CHECKING:
    from oneseat.settings import Project

__all__ = [
    "MAX_INPUT_BYTES",
    "Place",
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
#: Names of sessions are parts of file names.
SESSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)


#: The fields of a request that are options under the same name.
_CHECKED = (
    "system", "model", "fallback_model", "attachments", "tools", "cwd", "timeout_s", "max_turns", "max_budget_usd",
    "over_limit", "role", "provider", "key", "purpose", "client",
)  # fmt: skip


class Place(NamedTuple):
    """Where a request belongs: a directory, the working directory where it is ``None``, and perhaps a conversation in it."""

    cwd: str | Path | None
    project: str | None = None
    session: SessionUse | None = None


def make_request(here: Installation, prompt: str, **options: Any) -> Request[Any]:
    """Check the input and make a request of it; the options are those of ``oneseat.make_request``, which names what it raises."""
    given = checked(options)
    _check_prompt(prompt)
    if given["system"] is not None:
        check_text(given["system"], "the instructions")
    exclude(given, "role", "provider", "key", "model", why="a role names who serves it")
    exclude(given, "provider", "key", why="a key has a provider")
    place = _place(here, given)
    schema, answer = (None, AnswerShape()) if given["schema"] is None else answer_of(given["schema"])
    tools = _tools(here, given, place.project)
    request: Request[Any] = Request(
        prompt=prompt,
        cwd=_directory(place.cwd),
        system=given["system"],
        model=_model(given["model"]),
        fallback_model=_model(given["fallback_model"]),
        attachments=(*given["attachments"], *map(_attached, given["files"])),
        purpose=_purpose(here, given["purpose"], given["client"]),
        client=given["client"],
        tools=_allowed(tools),
        schema=schema,
        answer=answer,
        timeout_s=given["timeout_s"],
        mcp_servers=_servers(here, given["mcp_servers"]),
        functions=functions_of(given["functions"]),
        max_budget_usd=given["max_budget_usd"],
        max_turns=given["max_turns"],
        over_limit=given["over_limit"],
        session=place.session,
        role=given["role"],
        provider=given["provider"],
        key=given["key"],
    )
    return request if place.project is None else _of_project(here, request, given, place.project)


def check_request(request: Request[T]) -> Request[T]:
    """A request that a caller made without ``make_request``, once its values were checked in the same way.

    Raises ``UsageError`` like ``make_request``.
    """
    _check_prompt(request.prompt)
    own = {name: getattr(request, name) for name in _CHECKED}
    checked({name: value for name, value in own.items() if value is not None})
    _model(request.model)
    _model(request.fallback_model)
    schema: Any = request.schema
    answer = request.answer
    if schema is not None and not (isinstance(schema, dict) and schema.get("type") == "object"):
        schema, answer = answer_of(schema)
    return msgspec.structs.replace(request, cwd=_directory(request.cwd), schema=schema, answer=answer)


def _of_project(here: Installation, request: Request[Any], given: dict[str, Any], name: str) -> Request[Any]:
    """The request in a project, with its own tools and purpose where it was given some."""
    placed = in_project(here, request, name, new_session=given["new_session"], wait_s=given["wait_s"])
    purpose = placed.purpose if given["purpose"] is None else request.purpose
    return msgspec.structs.replace(placed, tools=request.tools, purpose=purpose)


def _check_prompt(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise UsageError(
            ErrorInfo(
                code="usage.no_prompt",
                message=f"The prompt is no text: `{type(prompt).__name__}`",
                hint='Give one: `oneseat run "say hello"`',
            )
        )
    if not prompt.strip():
        raise UsageError(
            ErrorInfo(
                code="usage.empty_prompt",
                message="The prompt is empty",
                hint='Give one: `oneseat run "say hello"`',
            )
        )
    check_text(prompt, "the prompt")


def _place(here: Installation, given: dict[str, Any]) -> Place:
    """The directory and the conversation of a request."""
    exclude(given, "project", "session", "resume", "cwd", why="a project has a directory and a conversation")
    exclude(given, "session", "resume", why="each names a conversation")
    exclude(given, "resume", "new_session", why="one goes on with a conversation, the other begins one")
    if given["session"] is None and given["project"] is None:
        _need_conversation(given, "new_session")
        if not given["resume"]:
            _need_conversation(given, "wait_s")
    if given["resume"] is not False:
        from .sessions import place_to_resume  # noqa: PLC0415 - loads SQLite, and few requests look into the ledger

        cwd = None if given["cwd"] is None else _directory(given["cwd"])
        return place_to_resume(here, given["resume"], cwd, given["wait_s"])
    if given["session"] is None:
        return Place(given["cwd"], given["project"])
    use = SessionUse(
        name=_session_name(given["session"]), new_session=given["new_session"], wait_s=given["wait_s"]
    )
    return Place(given["cwd"], None, use)


def _need_conversation(given: dict[str, Any], name: str) -> None:
    if given[name] != DEFAULTS[name]:
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message=f"This option needs a conversation: `{name}`\n  the run belongs to no project and no session",
                hint='Name one: `session="NAME"` or `project="NAME"`',
            )
        )


def _session_name(name: str) -> str:
    if SESSION_NAME.fullmatch(name):
        return name
    raise UsageError(
        ErrorInfo(
            code="usage.arguments",
            message=f"Not a name for a session: `{shown(name)}`\n"
            "  letters, digits, `_` and `-`, at most 64 of them; it begins with a letter or a digit",
            hint="To go on with a session whose id you know: `resume=ID`",
        )
    )


def _attached(file: str | Path | Attachment) -> Attachment:
    return file if isinstance(file, Attachment) else attachment(file)


def _tools(here: Installation, given: dict[str, Any], project: str | None) -> Tools:
    """The tools that were named, else those of the project, whose permission mode belongs to its own tools alone."""
    named, mode, directories = given["tools"], given["permission_mode"], given["add_dirs"]
    if isinstance(named, Tools):
        return with_permissions(named, mode, tuple(map(_directory, directories)))
    if named is not None and not isinstance(named, str):
        named = ",".join(named)
    if project is not None:
        found = _find_project(here, project)
        mode = mode or (found.permission_mode if named is None else None)
        named = found.tools if named is None else named
        directories = directories or found.add_dirs
    return choose_tools(named or "none", mode, directories)


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
    project = _find_project(here, name)
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


def _find_project(here: Installation, name: str) -> Project:
    from .settings import find_project  # noqa: PLC0415 - most runs have no project, and reading settings loads much

    return find_project(here, name)


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


def tool_names() -> tuple[str, ...]:
    """The profiles and the official CLI's tools that a run may name."""
    return (*tool_rules.PROFILES, *tool_rules.PROFILES["all"][0])


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


def attachment(source: Path | str, data: bytes | None = None) -> Attachment:
    """A file to send along: an image, a PDF, or UTF-8 text; of ``data`` where that is given, else read from ``source``.

    Raises ``UsageError``: ``usage.unreadable_file``, ``usage.too_large``, ``usage.unsupported_file``.
    """
    return (
        files.read_attachment(expand_home(source))
        if data is None
        else files.decode_attachment(str(source), data)
    )


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
