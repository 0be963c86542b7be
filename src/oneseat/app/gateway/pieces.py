"""The events of a run as the pieces of one answer. Pure: what comes in is an event, what goes out is what the client may see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from oneseat._util import tolerant
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import (
    Event,
    Failed,
    Finished,
    Message,
    Retry,
    TextDelta,
    ToolCall,
    UsageSeen,
)
from oneseat.contract.gateway.chat import (
    Begun,
    Broke,
    Called,
    Chat,
    Ended,
    Piece,
    Said,
    StopReason,
    ToolUse,
    Turn,
)
from oneseat.contract.receipt import RunResult, TokenUsage
from oneseat.contract.request import FUNCTIONS, MCP_PREFIX

from .tools import forced_call

_TOOL_PREFIX = f"{MCP_PREFIX}{FUNCTIONS}__"
#: Ends that are answers for an API, though a run that ended so is no success.
_ENDS: dict[str, StopReason] = {"incomplete.max_tokens": "max_tokens", "incomplete.refused": "refusal"}
_BROKEN_OFF = ErrorInfo(
    code="provider.answer_restarted",
    message="The provider broke off and began its answer anew, after a part of it was streamed",
    hint="Send the request again, or without streaming",
    whose_turn="provider",
)
_STOPS: dict[str | None, StopReason] = {"max_tokens": "max_tokens", "refusal": "refusal"}
#: Of an answer that is cut here, the vendor's count is not known: at least this many bytes are a token.
_BYTES_PER_TOKEN = 3


class StopTexts:
    """Finds the first of some texts in a stream, and holds back what could be the beginning of one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [text for text in texts if text]
        self._longest = max(map(len, self._texts), default=0)
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """What may go out now, and the text that was found; nothing goes out after that."""
        if not self._texts:
            return text, None
        self._held += text
        found = [(at, stop) for stop in self._texts if (at := self._held.find(stop)) >= 0]
        if found:
            at, stop = min(found)
            return self._held[:at], stop
        keep = next(
            (
                size
                for size in range(min(self._longest - 1, len(self._held)), 0, -1)
                if any(stop.startswith(self._held[-size:]) for stop in self._texts)
            ),
            0,
        )
        out = self._held[: len(self._held) - keep]
        self._held = self._held[len(self._held) - keep :]
        return out, None

    def rest(self) -> str:
        """What was held back, as no more comes."""
        held, self._held = self._held, ""
        return held


class Answer:
    """One answer of the API: everything from a request to its end, or to the calls of the client's tools.

    ``names`` are the client's names of its tools by the names under which the model knows them. ``over`` is whether it ended,
    ``cut`` whether it ended before the run did.
    """

    def __init__(self, chat: Chat, names: Mapping[str, str]) -> None:
        self.over = self.cut = False
        self.calls: list[ToolUse] = []
        self._chat = chat
        self._names = names
        self._whole = chat.schema is not None or bool(chat.forced)
        self._stops = StopTexts(chat.stop)
        self._usages: dict[str, TokenUsage] = {}
        self._text: list[str] = []
        self._begun = self._streamed = self._acted = self._open = False
        #: How much of the text had come when the model's current message began, and how much was handed out.
        self._mark = self._sent = 0
        self._stop: str | None = None

    @property
    def turn(self) -> Turn:
        """The answer as the client will send it back."""
        return Turn(role="assistant", text="".join(self._text), calls=tuple(self.calls))

    @property
    def waits_for_tools(self) -> bool:
        """Whether the model's message is over and calls tools of the client."""
        return bool(self.calls) and self._stop == "tool_use"

    def take(self, event: Event) -> Iterator[Piece]:
        """The pieces that an event means."""
        match event:
            case UsageSeen(subagent=None):
                yield from self._counted(event)
            case Retry():
                yield from self._restarted()
            case TextDelta():
                self._streamed = True
                yield from self._said(event.text)
            case Message(subagent=None):
                # A provider that does not stream sends whole messages only.
                if not self._streamed:
                    yield from self._said(event.text)
                self._streamed = False
            case ToolCall(subagent=None):
                yield from self._called(event)
            case Finished() | Failed():
                yield from self._finished(event.result)

    def hand_over(self) -> Iterator[Piece]:
        """End at the calls of the client's tools. Nothing of the run is shown until their results are there."""
        yield from self._end("tool_use", self._usage())

    def _counted(self, seen: UsageSeen) -> Iterator[Piece]:
        if seen.stop_reason is None:
            if self._open and seen.message_id not in self._usages:
                # The message before it has no end: it broke off, and this is the same one again.
                yield from self._restarted()
            self._mark = len(self._text)
        self._open = seen.stop_reason is None
        self._usages[seen.message_id or str(len(self._usages))] = seen.usage
        self._stop = seen.stop_reason
        if not self.over:
            yield from self._begin(seen.model)

    def _restarted(self) -> Iterator[Piece]:
        """Take back what came of a message that broke off. What was streamed cannot be taken back, so the answer fails."""
        self._open = False
        if self._sent > self._mark:
            self.over = self.cut = True
            yield Broke(_BROKEN_OFF)
        else:
            del self._text[self._mark :]
            self._stops = StopTexts(self._chat.stop)

    def _begin(self, model: str | None = None) -> Iterator[Piece]:
        if not self._begun:
            self._begun = True
            yield Begun(model or self._chat.model, self._usage())

    def _said(self, text: str) -> Iterator[Piece]:
        if self._whole or self.over or not text:
            return
        yield from self._begin()
        if self._acted:
            # What stood before a tool of the CLI is another paragraph.
            text, self._acted = (f"\n\n{text}" if self._text else text), False
        out, stop = self._stops.feed(text)
        yield from self._out(out)
        if stop is not None:
            self.cut = True
            yield from self._end("stop_sequence", self._estimated(), stop)

    def _out(self, text: str) -> Iterator[Piece]:
        if text:
            self._text.append(text)
        if self._chat.stream:
            yield from self._unsent()

    def _unsent(self) -> Iterator[Piece]:
        """What was not handed out yet. An answer that is not streamed keeps its text until nothing can take it back."""
        text, self._sent = "".join(self._text[self._sent :]), len(self._text)
        if text:
            yield Said(text)

    def _called(self, event: ToolCall) -> Iterator[Piece]:
        name = self._names.get(event.name.removeprefix(_TOOL_PREFIX))
        if name is None or not event.name.startswith(_TOOL_PREFIX):
            self._acted = True
            return
        yield from self._begin()
        yield from self._flush()
        yield self._call(ToolUse(event.id, name, event.input))

    def _call(self, call: ToolUse) -> Called:
        self.calls.append(call)
        return Called(call)

    def _flush(self) -> Iterator[Piece]:
        yield from self._out(self._stops.rest())
        yield from self._unsent()

    def _finished(self, result: RunResult) -> Iterator[Piece]:
        usage = self._usage() if self._usages else result.receipt.usage
        if result.error is not None:
            reason = _ENDS.get(result.error.code)
            if reason is None or not self._begun:
                self.over = True
                yield Broke(result.error)
                return
            yield from self._flush()
            yield from self._end(reason, usage)
            return
        yield from self._begin(result.receipt.model)
        if self._chat.forced:
            name, given = forced_call(self._chat.forced, result.structured)
            yield self._call(ToolUse(f"toolu_{result.run_id}", name, given))
            yield from self._end("tool_use", usage)
            return
        if self._whole:
            yield from self._out(json.dumps(result.structured, ensure_ascii=False))
        yield from self._flush()
        if not self._text:
            yield from self._out(result.text)
        yield from self._end(_STOPS.get(self._stop, "end_turn"), usage)

    def _end(self, reason: StopReason, usage: TokenUsage, sequence: str | None = None) -> Iterator[Piece]:
        self.over = True
        yield from self._unsent()
        yield Ended(reason, usage, sequence)

    def _usage(self) -> TokenUsage:
        """The tokens of all messages of this answer. A kind is unknown where one of them does not say."""
        kinds = zip(*map(msgspec.structs.astuple, self._usages.values()), strict=True)
        sums = [None if None in kind else sum(kind) for kind in kinds]
        return TokenUsage(*sums)

    def _estimated(self) -> TokenUsage:
        written = sum(len(tolerant.without_halves(text).encode()) for text in self._text)
        return msgspec.structs.replace(self._usage(), output_tokens=-(-written // _BYTES_PER_TOKEN))
