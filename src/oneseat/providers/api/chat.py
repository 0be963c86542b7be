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

#: A thousand times the largest context window of any model.
_MOST_IN_A_REQUEST = 10**9
_PAGE = re.compile(rb"/Type\s*/Page\b")
#: Why a model stopped, for all vendors, in the terms of our events.
Stop = Literal["end_turn", "tool_use", "max_tokens", "refusal", "context_window", "pause"]


class ConversationOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that are fixed for a whole conversation."""

    system: str
    schema: dict[str, Any] | None = None
    functions: tuple[Function, ...] = ()


class ChatRequest(NamedTuple):
    """One request to a model.

    ``bound`` is the maximum number of output tokens. ``held`` means that a budget sets it, so every API gets it; otherwise only
    an API that requires a limit does.
    """

    options: ConversationOptions
    model: str
    bound: int
    held: bool = False


class Prompt(NamedTuple):
    """A user message: files and quoted ``background`` come before the text."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    background: str | None = None


class Call(NamedTuple):
    """A function call of the model. ``given`` is ``None`` when the arguments cannot be parsed."""

    id: str
    name: str
    given: dict[str, Any] | None


class Reply(NamedTuple):
    """One complete answer of the model. ``why`` is the vendor's reason for a refusal."""

    text: str
    calls: tuple[Call, ...]
    stop: Stop
    usage: TokenUsage
    model: str | None
    why: str | None = None


class VendorError(NamedTuple):
    """A vendor's error: HTTP status, the vendor's names for the kind of error, the message, and when to retry (seconds)."""

    status: int | None
    kinds: tuple[str, ...]
    message: str
    retry_after_s: float | None = None


class TruncatedError(Exception):
    """Raised when a stream ends in the middle of an answer."""


class Conversation(Protocol):
    """The conversation so far, in one vendor's format, and the requests that continue it."""

    def prompt(self, prompt: Prompt) -> None:
        """Add a user message."""

    def results(self, answered: Sequence[tuple[Call, CallResult]]) -> None:
        """Add the results of the functions that the last answer called."""

    def stream(self, ask: ChatRequest) -> AsyncIterator[Event | Reply]:
        """Request an answer: yields events while it is received, and the ``Reply`` as the last item.

        Raises what the SDK raises, and ``TruncatedError``.
        """

    def said(self, error: Exception) -> VendorError | None:
        """The vendor's error in an exception of the SDK; ``None`` if it is not the vendor's."""

    def size(self, options: ConversationOptions) -> Size:
        """The size of the next request."""

    def mark(self) -> int:
        """The current position in the conversation."""

    def back_to(self, mark: int) -> None:
        """Discard everything after a mark."""

    async def close(self) -> None:
        """Close the SDK's client."""


class Size(NamedTuple):
    """The size of a request: bytes of text, and the number of images and pages."""

    text_bytes: int
    pictures: int


class History:
    """The part of ``Conversation`` that does not depend on the vendor. ``pictures`` has the number of images of each entry."""

    def __init__(self) -> None:
        self.entries: list[Any] = []
        self._pictures: dict[int, int] = {}

    def put(self, entry: Any, prompt: Prompt) -> None:
        """Add an entry for a user message."""
        self._pictures[len(self.entries)] = sum(map(_pictures_in, prompt.attachments))
        self.entries.append(entry)

    def size(self, options: ConversationOptions) -> Size:
        """The size of the next request: never too low, and for text hardly too high."""
        fixed = [
            options.system,
            options.schema,
            [(each.description, each.schema) for each in options.functions],
        ]
        text = len(msgspec.json.encode(fixed)) + sum(_text_in(entry) for entry in self.entries)
        return Size(text, sum(self._pictures.values()))

    def mark(self) -> int:
        return len(self.entries)

    def back_to(self, mark: int) -> None:
        del self.entries[mark:]
        self._pictures = {place: count for place, count in self._pictures.items() if place < mark}


def _pictures_in(attachment: Attachment) -> int:
    if attachment.media_type == "application/pdf":
        # Compressed pages cannot be counted without decompressing them; then assume at least one.
        return max(1, len(_PAGE.findall(attachment.data)))
    return 1 if attachment.media_type.startswith("image/") else 0


def _text_in(value: Any) -> int:
    """The bytes of text in an entry: images and documents are counted separately."""
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
    """A text file, marked with its name."""
    # A file name may not be UTF-8, but the message must be.
    name = attachment.name.encode("utf-8", "replace").decode()
    text = attachment.data.decode("utf-8", "replace")
    return f'<file name="{name}">\n{text}\n</file>'


def arguments_of(text: str) -> dict[str, Any] | None:
    """The arguments of a call; ``None`` when they cannot be parsed."""
    try:
        # A lone surrogate is an escape within an escape here.
        given = msgspec.json.decode(tolerant.mended((text or "{}").encode()))
    except tolerant.UNREADABLE:
        return None
    return given if isinstance(given, dict) else None


class Counts:
    """Reads the counts of a vendor's usage object. A single impossible count makes the whole usage unknown.

    Otherwise a server that reports -1,000,000 tokens or 10**30 would refund or exhaust a budget.
    """

    def __init__(self, usage: object) -> None:
        self._usage = usage
        #: Whether a value was not a valid count.
        self.refused = False

    def read(self, *names: str) -> int | None:
        """The count in the first of ``names`` that is present; a dot separates nested names. ``None`` if none is present."""
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

    def rest(self, total: int | None, *parts: int | None) -> int | None:
        """The total minus its parts, such as what was read from the cache. Parts larger than the total are impossible counts."""
        known = sum(part or 0 for part in parts)
        if total is not None and known > total:
            self.refused = True
            return None
        return None if total is None else total - known

    def usage(self, **tokens: int | None) -> TokenUsage:
        """The counts as ``TokenUsage``; all unknown if one of them was invalid."""
        return TokenUsage() if self.refused else TokenUsage(**tokens)


def newest(before: TokenUsage, counts: Counts, now: TokenUsage) -> TokenUsage:
    """The usage after a further report of one request. A count that says less, such as a zero at the end, is ignored.

    The counts of what was sent are replaced together, as a later report may divide the same tokens differently.
    """
    if counts.refused:
        return now
    says_more = any(_sent(now)) and (now.input_tokens is not None or before.input_tokens is None)
    newer = now if says_more or not any(_sent(before)) else before
    written = now if now.output_tokens or before.output_tokens is None else before
    return msgspec.structs.replace(newer, output_tokens=written.output_tokens)


def _sent(usage: TokenUsage) -> tuple[int | None, ...]:
    """The counts of what was sent, which exclude each other."""
    return (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )


def output(written: int | None, *, reasoning: int | None, sent: int | None, total: int | None) -> int | None:
    """The output tokens including thinking. Some servers do not include it in ``written``, which the total shows."""
    if written is None or not sent:
        return written
    if total is not None and total > sent + written:
        return total - sent
    # More thinking than output: it cannot be included.
    return written + reasoning if reasoning is not None and reasoning > written else written


def believable(usage: TokenUsage, *, answered: bool) -> TokenUsage:
    """The usage of one request with impossible zeros made unknown: no request is empty, and no answer takes zero tokens."""
    if usage.input_tokens == 0 and not any(_sent(usage)):
        usage = msgspec.structs.replace(usage, input_tokens=None)
    if usage.output_tokens == 0 and answered:
        usage = msgspec.structs.replace(usage, output_tokens=None)
    return usage


def at(value: object, path: str) -> object:
    """The value at a path of an object or mapping; a dot separates nested names. ``None`` if there is none."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value
