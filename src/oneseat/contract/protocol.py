"""What a command and a running server say to each other: one JSON object per line, told apart by ``type``.

    server  hello ─────────────────▶ client     who I am, and what to compare
    client  call | ask_status | ask_stop | leave ▶ the first thing a client says, once
    server  declined                            the client does the run itself, cold
    server  accepted, then every event of the run as it is (contract/events.py); the last one holds the result
    client  answer, cancel                      while the run goes on; a closed connection cancels it too
    server  broken                              this connection is over, and why

A connection is one run. The version is the exact one of oneseat: neither side guesses what another version meant.
"""

from __future__ import annotations

import msgspec

from . import events
from .errors import ErrorInfo
from .warm import WarmProcess

#: The longest line either side reads, in bytes: the largest input and its attachments as JSON.
MAX_LINE_BYTES = 64 * 1024 * 1024


class Spoken(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Base of everything that is no event of a run."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Variables by name, in upper case; ``prefixes`` stand for every name that begins with one of them."""

    names: tuple[str, ...]
    prefixes: tuple[str, ...]


class Hello(Spoken, frozen=True, kw_only=True, tag="hello"):
    """The server's first line.

    Of ``compared`` variables the client sends a keyed hash each, with ``nonce`` (hexadecimal) as the key; of ``named`` ones
    only whether they are set. ``nonce`` is new for each connection.
    """

    version: str
    pid: int
    nonce: str
    compared: Watched
    named: Watched


class CallerContext(msgspec.Struct, frozen=True, kw_only=True):
    """What lies around a client and could make its run another one. No value of a variable is in it.

    ``compared`` holds keyed hashes by name; ``named`` is ``""``, a word for "no" or ``set``; ``directory`` is the device and
    the number of the run's directory, which tell a container's from ours; ``umask`` is what the run's files are made with.
    """

    compared: dict[str, str]
    named: dict[str, str]
    directory: tuple[int, int]
    umask: int


class Call(Spoken, frozen=True, kw_only=True, tag="call"):
    """Do this run. ``request`` is a ``Request``; ``asks`` is whether somebody is there to answer a question."""

    version: str
    around: CallerContext
    asks: bool
    request: msgspec.Raw


class Answer(Spoken, frozen=True, kw_only=True, tag="answer"):
    """The answer to the question with this id."""

    id: str
    allowed: bool
    why: str


class Cancel(Spoken, frozen=True, kw_only=True, tag="cancel"):
    """End the run, and tell how it ended."""


class AskStatus(Spoken, frozen=True, kw_only=True, tag="ask_status"):
    """How are you?"""


class AskStop(Spoken, frozen=True, kw_only=True, tag="ask_stop"):
    """Take no new runs, finish those that go on, and end. The connection closes when the server does."""


class Leave(Spoken, frozen=True, kw_only=True, tag="leave"):
    """The client is of another version and does its run itself."""

    why: str


class Accepted(Spoken, frozen=True, kw_only=True, tag="accepted"):
    """The run is about to begin."""

    run_id: str


class Declined(Spoken, frozen=True, kw_only=True, tag="declined"):
    """The server does not do this run; nothing of it was begun."""

    why: str


class Broken(Spoken, frozen=True, kw_only=True, tag="broken"):
    """The connection ends here."""

    error: ErrorInfo


class RunGoingOn(msgspec.Struct, frozen=True, kw_only=True):
    """A run on the server. ``age_s`` is in seconds; ``model`` is the one that was asked for."""

    id: str
    age_s: float
    model: str | None


class WentCold(msgspec.Struct, frozen=True, kw_only=True):
    """The last client that did its run itself, though the server was there."""

    at: str
    why: str


class ServerStatus(Spoken, frozen=True, kw_only=True, tag="status"):
    """How a server is. ``since`` is ISO 8601 UTC; a server that is ``draining`` takes no new runs."""

    pid: int
    since: str
    version: str
    draining: bool
    runs: tuple[RunGoingOn, ...]
    warm: tuple[WarmProcess, ...]
    last_cold: WentCold | None


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `oneseat status` knows. ``server`` is ``None`` when none is running; ``folder`` is where its socket would be."""

    server: ServerStatus | None
    folder: str


#: What a client may say, first and later.
FromClient = Call | Answer | Cancel | AskStatus | AskStop | Leave
#: What a server may say.
FromServer = (
    Hello
    | Accepted
    | Declined
    | Broken
    | ServerStatus
    | events.Routed
    | events.WalletVerified
    | events.SessionRenewed
    | events.Started
    | events.TextDelta
    | events.ThinkingDelta
    | events.Message
    | events.ToolCall
    | events.ToolResult
    | events.Question
    | events.Answered
    | events.UsageSeen
    | events.LimitSeen
    | events.LimitNear
    | events.Retry
    | events.ModelFallback
    | events.Progress
    | events.Unknown
    | events.Stderr
    | events.TurnEnded
    | events.Finished
    | events.Failed
)
