"""The types between a session and the vendors' protocols."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from oneseat._util import tolerant
from oneseat.contract.events import Event
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment, Function
from oneseat.host.function_calls import CallResult

#: A thousand times the largest context window there is.
_MOST_IN_A_REQUEST = 10**9
_PAGE = re.compile(rb"/Type\s*/Page\b")
#: Why a model stopped, whichever the vendor: in the words that events carry.
Stop = Literal["end_turn", "tool_use", "max_tokens", "refusal", "context_window", "pause"]


class ConversationOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What stays the same in a whole conversation."""

    system: str
    schema: dict[str, Any] | None = None
    functions: tuple[Function, ...] = ()


class ChatRequest(NamedTuple):
    """One request to a model.

    ``bound`` is how many tokens it may write. Where it is not ``held`` to that by a budget, it is what an API is told that wants
    to be told a number.
    """

    options: ConversationOptions
    model: str
    bound: int
    held: bool = False


class Prompt(NamedTuple):
    """What the user says: files and quoted ``background`` come before the text."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    background: str | None = None


class Call(NamedTuple):
    """The model calls a function. ``given`` is ``None`` where the arguments cannot be read."""

    id: str
    name: str
    given: dict[str, Any] | None


class Reply(NamedTuple):
    """One whole answer of the model. ``why`` is what the vendor says of a refusal."""

    text: str
    calls: tuple[Call, ...]
    stop: Stop
    usage: TokenUsage
    model: str | None
    why: str | None = None


class VendorError(NamedTuple):
    """What a vendor's error says: HTTP status, its words for the kind of error, its message, and when to come back (seconds)."""

    status: int | None
    kinds: tuple[str, ...]
    message: str
    retry_after_s: float | None = None


class TruncatedError(Exception):
    """Raised when a stream ends in the middle of an answer."""


class Conversation(Protocol):
    """What was said so far, in one vendor's own form, and the way to have it answered."""

    def prompt(self, prompt: Prompt) -> None:
        """The user says something."""

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        """The functions that the last answer called have returned."""

    def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        """Have it answered: events while the answer comes, and the ``Reply`` as the last item.

        Raises what the SDK raises, and ``TruncatedError``.
        """

    def said(self, error: Exception) -> VendorError | None:
        """What an error of the SDK says; ``None`` for one that is not the vendor's."""

    def size(self, options: ConversationOptions) -> Size:
        """How much the next request sends."""

    def mark(self) -> int:
        """Where the conversation is."""

    def back_to(self, mark: int) -> None:
        """Forget what was said after a mark."""

    async def close(self) -> None:
        """Let go of the SDK's client."""


class Size(NamedTuple):
    """How much a request sends: bytes of text, and how many images and pages."""

    text_bytes: int
    pictures: int


class History:
    """The part of ``Conversation`` that does not depend on the vendor. ``pictures`` counts those of each entry."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._pictures: dict[int, int] = {}

    def put(self, entry: Any, prompt: Prompt) -> None:
        """Add what the user says."""
        self._pictures[len(self.entries)] = sum(map(_pictures_in, prompt.attachments))
        self.entries.append(entry)

    def size(self, options: ConversationOptions) -> Size:
        """How much the next request sends: never less, and of text hardly more."""
        told = [
            options.system,
            options.schema,
            [(each.description, each.schema) for each in options.functions],
        ]
        text = len(msgspec.json.encode(told)) + sum(_text_in(entry) for entry in self.entries)
        return Size(text, sum(self._pictures.values()))

    def mark(self) -> int:
        return len(self.entries)

    def back_to(self, mark: int) -> None:
        del self.entries[mark:]
        self._pictures = {place: count for place, count in self._pictures.items() if place < mark}


def _pictures_in(attachment: Attachment) -> int:
    if attachment.media_type == "application/pdf":
        # Where the pages are packed, they cannot be counted without unpacking; then it is one at least.
        return max(1, len(_PAGE.findall(attachment.data)))
    return 1 if attachment.media_type.startswith("image/") else 0


def _text_in(value: Any) -> int:
    """How many bytes of text are in an entry: images and documents are counted apart."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value.encode("utf-8", "surrogatepass")) + 2
    if isinstance(value, dict):
        if value.get("type") == "base64":
            return 0
        return sum(_text_in(name) + _text_in(each) for name, each in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_text_in, value))
    if isinstance(value, bytes):
        return 0
    return _text_in(value.model_dump(exclude_none=True)) if hasattr(value, "model_dump") else 8


def file_text(attachment: Attachment) -> str:
    """A file that is text, marked with its name."""
    # A file name need not be UTF-8; the message has to be.
    name = attachment.name.encode("utf-8", "replace").decode()
    text = attachment.data.decode("utf-8", "replace")
    return f'<file name="{name}">\n{text}\n</file>'


def arguments_of(text: str) -> dict[str, Any] | None:
    """The arguments of a call; ``None`` when they cannot be read."""
    try:
        # Half of a surrogate pair is an escape within an escape here.
        given = msgspec.json.decode(tolerant.mended((text or "{}").encode()))
    except tolerant.UNREADABLE:
        return None
    return given if isinstance(given, dict) else None


class Counts:
    """Reads the counts of a vendor's usage object. A single one that cannot be true makes all of it unknown.

    Without that, a server that says -1,000,000 tokens, or 10**30, would take money out of a budget or put it in.
    """

    def __init__(self, usage: object) -> None:
        self._usage = usage
        #: Whether a value was no count.
        self.refused = False

    def read(self, *names: str) -> int | None:
        """The count under the first of ``names`` that is there; a dot leads into an inner object. ``None`` where none is."""
        for name in names:
            value = at(self._usage, name)
            if value is not None:
                return self._checked(value)
        return None

    def _checked(self, value: object) -> int | None:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_IN_A_REQUEST:
            return value
        self.refused = True
        return None

    def usage(self, **tokens: int | None) -> TokenUsage:
        """The counts as oneseat keeps them; nothing is known where one of those read was refused."""
        return TokenUsage() if self.refused else TokenUsage(**tokens)


def newest(before: TokenUsage, counts: Counts, now: TokenUsage) -> TokenUsage:
    """The usage after a further report of one request. One that says less, such as zeros at the end, takes nothing away."""
    if counts.refused:
        return now
    says_more = now.is_positive and (now.is_known or not before.is_known)
    return now if says_more or not before.is_positive else before


def rest(total: int | None, *parts: int | None) -> int | None:
    """What is left of a total. Parts that are larger than it are counted beside it, not in it."""
    known = sum(part or 0 for part in parts)
    return total if total is None or known > total else total - known


def output(written: int | None, *, reasoning: int | None, sent: int | None, total: int | None) -> int | None:
    """The tokens of an answer with what was thought. Some servers count that beside ``written``: then the total says so."""
    if written is None or sent is None:
        return written
    if total is not None and total > sent + written:
        return total - sent
    # More thought than written: it cannot be a part of it.
    return written + reasoning if reasoning is not None and reasoning > written else written


def believable(usage: TokenUsage, *, answered: bool) -> TokenUsage:
    """A usage of one request without the zeros that cannot be true: no request is empty, and no answer is written for nothing."""
    read = (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )
    if usage.input_tokens == 0 and not any(read):
        usage = msgspec.structs.replace(usage, input_tokens=None)
    if usage.output_tokens == 0 and answered:
        usage = msgspec.structs.replace(usage, output_tokens=None)
    return usage


def at(value: object, path: str) -> object:
    """What is at a place of an object or a mapping; a dot leads into an inner one. ``None`` where nothing is."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value
