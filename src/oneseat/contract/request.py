"""What a caller asks for: the prompt, its purpose, tools, bounds and who shall serve it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, Literal

import msgspec

from .budgets import Amounts
from .events import Question
from .facts import CredentialSource
from .policy import Author, Exposure, Harness, ReachableBy, Reader, WorkOwner, YesNo
from .receipt import AnswerShape, T
from .routing import PaidFrom

_AUTHORS: Mapping[str, Author] = {
    "me": "owner",
    "automation": "owner_automation",
    "anonymous": "anonymous",
    "unknown": "unknown",
}
_READERS: Mapping[str, tuple[Reader, bool]] = {
    "me": ("owner", False),
    "reviewed": ("owner_publishes", True),
    "published": ("owner_publishes", False),
    "others": ("third_party_direct", False),
    "customers": ("customers", False),
    "unknown": ("unknown", False),
}
_OWNERS: Mapping[str, WorkOwner] = {
    "me": "owner",
    "employer": "employer",
    "client": "client",
    "other": "other",
    "unknown": "unknown",
}
#: The words for readers: `reviewed` is published after the owner has read it, `published` without that.
READERS = tuple(_READERS)
#: The words for whose work it is.
OWNERS = tuple(_OWNERS)


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote the request, who reads the answer, who owns the work: what the policy decides on.

    ``reviewed`` is whether the owner reads what is published before it leaves.
    """

    author: Author = "owner"
    reader: Reader = "owner"
    work_owner: WorkOwner = "owner"
    reviewed: bool = False


class PurposeWords(msgspec.Struct, frozen=True, kw_only=True):
    """A purpose in everyday words; ``None`` is not stated.

    ``asked_by`` is `me`, `automation` (one's own), `anonymous`, `unknown`, or anybody else's name; ``reader`` is one of
    ``READERS`` and ``work_of`` one of ``OWNERS``.
    """

    asked_by: str | None = None
    reader: str | None = None
    work_of: str | None = None

    def over(self, other: PurposeWords) -> PurposeWords:
        """This purpose, completed by ``other`` where it states nothing."""
        return PurposeWords(
            asked_by=other.asked_by if self.asked_by is None else self.asked_by,
            reader=self.reader or other.reader,
            work_of=self.work_of or other.work_of,
        )

    def purpose(self) -> Purpose:
        """The purpose for a request; by default everything is the owner's own."""
        reader, reviewed = _READERS[self.reader or "me"]
        return Purpose(
            author=_author("me" if self.asked_by is None else self.asked_by),
            reader=reader,
            reviewed=reviewed,
            work_owner=_OWNERS[self.work_of or "me"],
        )


def _author(asked_by: str) -> Author:
    # An empty name, as from an unset variable, must not pass for the owner's.
    said = asked_by.strip().lower()
    return _AUTHORS.get(said, "other_human") if said else "unknown"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """How a request came in. ``attended`` is whether somebody sits at the terminal it came from.

    ``client_secret`` is whether its sender had to know a secret of its own, ``reachable_by`` who could have sent one, and
    ``local_api`` whether it came over a vendor's API that other programs speak. None of them has to be stated for a command's
    own input and the private socket, where the system says who calls. ``harness`` is whose program wrote the instructions.
    """

    exposure: Exposure = "none_stdio"
    attended: bool = False
    client_secret: YesNo = "unknown"  # noqa: S105 - a word about secrets
    reachable_by: ReachableBy = "unknown"
    local_api: YesNo = "unknown"
    harness: Harness = "official_cli_unmodified"


class Attachment(msgspec.Struct, frozen=True):
    """A file the caller attached on purpose. ``media_type`` is an IANA type; text is UTF-8."""

    name: str
    media_type: str
    data: bytes


#: More than any run takes: turns of the model, and seconds (ten years). What is above was mistyped, and no clock holds it.
MOST_TURNS, MOST_SECONDS = 10_000, 315_360_000.0
#: How the names of MCP tools begin.
MCP_PREFIX = "mcp__"
#: The name under which the caller's own functions are offered as an MCP server.
FUNCTIONS = "oneseat"


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """What the assistant is told of a function, and the function itself.

    ``schema`` describes its arguments and ``arguments`` is the type they are checked against. ``read_only`` ones change nothing
    and may be called several at a time.
    """

    name: str
    description: str
    schema: dict[str, Any]
    arguments: type[msgspec.Struct]
    function: Callable[..., Any]
    read_only: bool = False

    def bind(self, given: object) -> Callable[[], Any]:
        """The call with these arguments, not yet made. Raises ``msgspec.ValidationError`` when they do not fit."""
        checked = msgspec.convert(given, self.arguments)
        named = {name: getattr(checked, name) for name in self.arguments.__struct_fields__}
        return lambda: self.function(**named)


class Permission(msgspec.Struct, frozen=True):
    """The answer to a ``Question``. ``why`` is told to the model when the answer is no."""

    allowed: bool
    why: str = "The owner did not allow this"


#: Answers a question, at once or after a while. It may be slow: the run waits, up to ``watchdog.question_s``.
ApprovalCallback = Callable[[Question], Permission | bool | Awaitable[Permission | bool]]


PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk", "bypassPermissions"]


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What the assistant may do besides answering. ``names`` are the CLI's own tool names; none by default.

    ``required`` must be there when the turn starts; ``directories`` are absolute and opened in addition to the run's own.
    """

    names: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    mode: PermissionMode = "default"
    directories: tuple[str, ...] = ()

    @property
    def of_servers(self) -> tuple[str, ...]:
        """The names that are MCP tools (``mcp__server__tool``) or all tools of an MCP server (``mcp__server``)."""
        return tuple(name for name in self.names if name.startswith(MCP_PREFIX))

    def missing(self, present: Iterable[str]) -> tuple[str, ...]:
        """The required tools that are not among ``present``; of a whole server, one tool has to be there."""
        there = tuple(present)
        return tuple(
            name
            for name in self.required
            if name not in there and not (name.startswith(MCP_PREFIX) and _some_of(name, there))
        )


def _some_of(server: str, there: tuple[str, ...]) -> bool:
    return any(tool.startswith(f"{server}__") for tool in there)


class McpServer(msgspec.Struct, frozen=True, kw_only=True):
    """A program (``stdio``) or an address (``http``, ``sse``) that offers tools to the run, and to no other run.

    ``command`` is absolute. The values of ``env`` and ``headers`` can be secrets: no message, event or record holds them.
    """

    name: str
    type: Literal["stdio", "http", "sse"] = "stdio"
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    url: str | None = None
    headers: dict[str, str] = {}
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # The default one would print every password into the first traceback or log line that shows a request.
        return f"McpServer(name={self.name!r}, type={self.type!r})"


class ProjectUse(msgspec.Struct, frozen=True, kw_only=True):
    """The project a request belongs to: its runs share a conversation and go on one at a time.

    ``new_session`` begins the conversation afresh; ``wait_s`` is how long to wait for another run of it, in seconds.
    ``day_budget_usd`` and ``month_budget_usd`` are what its runs of one day, or month, may cost together, in US dollars.
    """

    name: str
    new_session: bool = False
    wait_s: float = 0.0
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None


class SessionUse(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that belongs to no project, tied to the request's directory.

    ``name`` tells the conversations of a directory apart; one has none. ``after`` is the id of the session that goes on, or of
    a run that had none and is quoted. ``new_session`` and ``wait_s`` are those of ``ProjectUse``.
    """

    name: str = ""
    after: str | None = None
    new_session: bool = False
    wait_s: float = 0.0


class Request(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What a caller wants. ``cwd`` is absolute; ``timeout_s`` bounds the whole run in seconds.

    ``schema`` is a JSON Schema of an object that the answer's structure must fit, ``answer`` how that becomes the answer.
    Without a ``project`` or a ``session`` a run is a conversation of its own.
    ``fallback_model`` answers when ``model`` is overloaded, not there, or its own usage window is full.
    ``mcp_servers`` and ``functions`` (the caller's own) offer tools to this run only.
    ``over_limit`` lets it begin although a usage window is so full that runs are paused.
    ``max_budget_usd`` bounds what the run costs in US dollars at list price, ``max_turns`` how often the model is asked.
    """

    prompt: str
    cwd: str
    system: str | None = None
    model: str | None = None
    fallback_model: str | None = None
    attachments: tuple[Attachment, ...] = ()
    purpose: Purpose = Purpose()
    tools: Tools = Tools()
    schema: dict[str, Any] | None = None
    answer: AnswerShape = AnswerShape()
    timeout_s: float | None = None
    max_budget_usd: float | None = None
    max_turns: int | None = None
    over_limit: bool = False
    project: ProjectUse | None = None
    session: SessionUse | None = None
    #: Who shall serve it: a role of the settings, or a provider, or a key of the settings; at most one of role and the others.
    role: str | None = None
    provider: str | None = None
    key: str | None = None
    #: For whom it is: a client of the settings or of the server, and the budget that the latter was given.
    client: str | None = None
    client_budget: Amounts = Amounts()
    #: What may pay for it at all; empty is whatever the policy and the settings allow.
    may_pay: tuple[PaidFrom, ...] = ()
    entry: Entry = Entry()
    mcp_servers: tuple[McpServer, ...] = ()
    functions: tuple[Function, ...] = ()
    #: What the caller's own environment holds that could change who pays, where the caller is another process.
    caller_sources: tuple[CredentialSource, ...] | None = None

    @property
    def expected_servers(self) -> tuple[str, ...]:
        """The MCP servers that must be there before the prompt leaves; no other one may be."""
        return (*(server.name for server in self.mcp_servers), *((FUNCTIONS,) if self.functions else ()))
