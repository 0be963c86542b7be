"""The lines that the official ``claude`` CLI prints in stream-json mode, as typed as they are stable.

Only fields that oneseat uses are named, all are optional, and unknown ones are ignored, so a new CLI version cannot break
the decoding of what it did not change. Seen on 2.1.197 and 2.1.329.
"""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import msgspec

from oneseat._util import tolerant
from oneseat.host.processes.lines import lines_of
from oneseat.providers.cli_common.lines import Undecoded

# Annotations are not postponed: every run asks what these mean, and working that out of their text takes 0.7 ms.


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Token counts of the Messages API."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: dict[str, Any] | None = None
    server_tool_use: dict[str, Any] | None = None


class Block(msgspec.Struct, frozen=True, gc=False):
    """One content block of a message."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    tool_use_id: str | None = None
    content: Any = None
    is_error: bool | None = None


class ApiMessage(msgspec.Struct, frozen=True, gc=False):
    """A message of the Messages API."""

    id: str | None = None
    model: str | None = None
    content: str | list[Block] = ""
    stop_reason: str | None = None
    usage: Usage | None = None


class Delta(msgspec.Struct, frozen=True, gc=False):
    """The change that one streaming event carries."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class SseEvent(msgspec.Struct, frozen=True, gc=False):
    """One streaming event of the Messages API, as the CLI passes it on."""

    type: str = ""
    delta: Delta | None = None
    message: ApiMessage | None = None
    usage: Usage | None = None


class Line(msgspec.Struct, frozen=True, gc=False, tag_field="type"):
    """Base of all known lines."""


class StreamEvent(Line, frozen=True, gc=False, tag="stream_event"):
    """A piece of an answer in progress."""

    event: SseEvent = SseEvent()
    parent_tool_use_id: str | None = None


class AssistantLine(Line, frozen=True, gc=False, tag="assistant"):
    """Finished content blocks; ``error`` is the class of an API failure dressed up as a message, ``api_error`` its kind."""

    message: ApiMessage = ApiMessage()
    parent_tool_use_id: str | None = None
    error: str | None = None
    api_error: str | None = None


class UserLine(Line, frozen=True, gc=False, tag="user"):
    """Tool results, and what the CLI says in the user's name."""

    message: ApiMessage = ApiMessage()
    parent_tool_use_id: str | None = None


class McpServer(msgspec.Struct, frozen=True, gc=False):
    """The state of one MCP server at the start of a turn."""

    name: str = ""
    status: str = ""


class TaskPatch(msgspec.Struct, frozen=True, gc=False):
    """What has changed about a task."""

    status: str | None = None


class SystemLine(Line, frozen=True, gc=False, tag="system"):
    """Everything about the run that is not content; ``subtype`` says what."""

    subtype: str = ""
    session_id: str | None = None
    cwd: str | None = None
    model: str | None = None
    tools: list[str] = []
    mcp_servers: list[McpServer] = []
    api_key_source: str | None = msgspec.field(default=None, name="apiKeySource")
    claude_code_version: str | None = None
    attempt: int | None = None
    max_retries: int | None = None
    retry_delay_ms: float | None = None
    error_status: int | None = None
    error: str | None = None
    status: str | None = None
    task_id: str | None = None
    description: str | None = None
    patch: TaskPatch | None = None
    trigger: str | None = None
    original_model: str | None = None
    fallback_model: str | None = None
    estimated_tokens_delta: int | None = None


class UnifiedWindow(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """How full one window is, a share from 0 to 1. Reported since 2.1.329."""

    utilization: float | None = None
    resets_at: float | None = None


class RateLimitInfo(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One usage window as the server's headers described it."""

    status: str = "unknown"
    resets_at: float | None = None
    rate_limit_type: str | None = None
    utilization: float | None = None
    is_using_overage: bool | None = None
    overage_in_use: bool | None = None
    unified_windows: dict[str, UnifiedWindow] = {}


class RateLimitLine(Line, frozen=True, gc=False, tag="rate_limit_event"):
    """A usage window changed."""

    rate_limit_info: RateLimitInfo = RateLimitInfo()


class Denial(msgspec.Struct, frozen=True, gc=False):
    """A tool call that was not allowed."""

    tool_name: str = ""


class ResultLine(Line, frozen=True, gc=False, tag="result"):
    """The CLI's own account of a turn. ``subtype`` "success" and exit code 0 prove nothing; see ``failures``."""

    subtype: str = ""
    is_error: bool = False
    api_error_status: int | None = None
    terminal_reason: str | None = None
    stop_reason: str | None = None
    result: str | None = None
    structured_output: Any = None
    errors: list[str] = []
    total_cost_usd: float | None = None
    usage: Usage | None = None
    model_usage: dict[str, Any] = msgspec.field(name="modelUsage", default_factory=dict)
    permission_denials: list[Denial] = []


class ControlAnswer(msgspec.Struct, frozen=True, gc=False):
    """The CLI's answer to one of our control requests."""

    subtype: str = ""
    request_id: str = ""
    response: dict[str, Any] | None = None
    error: str | None = None


class ControlResponse(Line, frozen=True, gc=False, tag="control_response"):
    """Carries a ``ControlAnswer``."""

    response: ControlAnswer = ControlAnswer()


class ControlQuestion(msgspec.Struct, frozen=True, gc=False):
    """What the CLI asks of its host."""

    subtype: str = ""
    tool_name: str | None = None
    input: Any = None
    description: str | None = None
    blocked_path: str | None = None
    tool_use_id: str | None = None
    server_name: str | None = None
    message: Any = None


class ControlRequest(Line, frozen=True, gc=False, tag="control_request"):
    """The CLI waits for an answer to this; unanswered, it waits for ever."""

    request_id: str = ""
    request: ControlQuestion = ControlQuestion()


class ControlCancel(Line, frozen=True, gc=False, tag="control_cancel_request"):
    """The CLI no longer waits for an answer."""

    request_id: str = ""


class Lifecycle(Line, frozen=True, gc=False, tag="command_lifecycle"):
    """What has become of a message that was given a name."""


class KeepAlive(Line, frozen=True, gc=False, tag="keep_alive"):
    """A sign of life."""


KnownLine = (
    StreamEvent
    | AssistantLine
    | UserLine
    | SystemLine
    | RateLimitLine
    | ResultLine
    | ControlResponse
    | ControlRequest
    | ControlCancel
    | KeepAlive
    | Lifecycle
)


class _Probe(msgspec.Struct):
    type: str = ""


_known = msgspec.json.Decoder(KnownLine)
_decode_known, _decode_known_lines = _known.decode, _known.decode_lines
_decode_probe = msgspec.json.Decoder(_Probe).decode
_BY_TAG: dict[str, type[Line]] = {str(kind.__struct_config__.tag): kind for kind in get_args(KnownLine)}


def decode_all(block: bytes) -> Sequence[KnownLine | Undecoded]:
    """Turn a block of whole lines into their types, in half the time that each by itself takes. Never raises."""
    try:
        known: list[KnownLine] = _decode_known_lines(block)
    except tolerant.UNREADABLE:
        return [known for line in lines_of(block) for known in _decode_tolerantly(line)]
    return known


def decode(line: bytes) -> KnownLine | Undecoded:
    """Turn one line into its type. Never raises: what is not known comes back as ``Undecoded``."""
    try:
        known: KnownLine = _decode_known(line)
    except tolerant.UNREADABLE as error:
        whole = tolerant.mended(line)
        return decode(whole) if whole != line else Undecoded(line, _explain(line, error))
    return known


def _decode_tolerantly(line: bytes) -> Iterator[KnownLine | Undecoded]:
    """What is readable of a line. What is not comes first, as ``Undecoded``: a result would end the turn before it."""
    strict = decode(line)
    if not isinstance(strict, Undecoded):
        yield strict
        return
    found = tolerant.find_objects(line)
    known = [_read(fields) for fields in found.objects]
    if found.other or not known or not all(exact for _, exact in known):
        yield strict
    yield from (each for each, _ in known if each is not None)


def _read(fields: dict[str, Any]) -> tuple[KnownLine | None, bool]:
    """A line's fields as its type, ``None`` for a type that is not known, and whether nothing of them was left out."""
    try:
        return msgspec.convert(fields, KnownLine), True
    except tolerant.UNREADABLE:
        tag = fields.get("type")
        kind = _BY_TAG.get(tag) if isinstance(tag, str) else None
        return (None if kind is None else tolerant.read(fields, kind)), False


def _explain(line: bytes, error: Exception) -> str:
    try:
        kind = _decode_probe(line).type
    except tolerant.UNREADABLE:
        return "not a JSON object"
    if isinstance(error, msgspec.ValidationError) and "Invalid value" not in str(error):
        return f"line of type `{kind}` does not have the known spec"
    return f"unknown line type `{kind}`"
