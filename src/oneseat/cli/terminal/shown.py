"""What a run prints, event by event, whether this process runs it or a server does."""

from __future__ import annotations

import sys
from typing import NamedTuple

import msgspec

from oneseat.cli.output import Output, printable_json
from oneseat.cli.screen import printable
from oneseat.cli.views.error import error_text
from oneseat.cli.views.numbers import percent
from oneseat.cli.views.receipt import event_line, policy_expiry, receipt_line, result_line, tagged_result
from oneseat.cli.views.timefmt import local_time
from oneseat.contract.events import (
    UNANNOUNCED,
    Event,
    Failed,
    Finished,
    LimitNear,
    ModelFallback,
    Progress,
    Question,
    Retry,
    Routed,
    SessionRenewed,
    TextDelta,
    ThinkingDelta,
    ToolCall,
)
from oneseat.contract.receipt import RunResult
from oneseat.contract.routing import PassedOver

from .status_line import StatusLine


class Note(NamedTuple):
    """A text for stderr, written after all of stdout before it."""

    text: str


#: In this order: bytes for stdout, notes for stderr.
Pieces = list[bytes | Note]


class RunView:
    """Keeps what was streamed, so that the result adds only what is missing."""

    def __init__(self, output: Output, status: StatusLine) -> None:
        self._output = output
        self._status = status
        self._streamed: list[str] = []

    def event(self, event: Event) -> Pieces:
        """What an event adds."""
        self._status.say(_waiting_for(event))
        if self._output.form == "stream-json" and not isinstance(event, (Finished, Failed)):
            return [_line(event_line(event))]
        return self._text(event) if self._output.form == "text" else []

    def _text(self, event: Event) -> Pieces:
        if isinstance(event, TextDelta):
            if sys.stdout.isatty():
                self._status.pause()
            self._streamed.append(event.text)
            return [_text(event.text)]
        note = _note(event)
        if (
            isinstance(event, Retry | Routed | ModelFallback | SessionRenewed)
            and self._streamed
            and _begins_anew(event)
        ):
            return self._take_back(f"{note or 'the stream ended early'}; the answer starts again")
        return [Note(f"note: {note}\n")] if note and not self._output.quiet else []

    def result(self, result: RunResult) -> Pieces:
        """What the end adds, but its error and receipt."""
        form = self._output.form
        if form == "json":
            return [_line(result_line(result))]
        if form == "stream-json":
            return [_line(tagged_result(result))]
        return self._rest_of(result.text)

    def ending(self, result: RunResult, *, written: bool) -> Pieces:
        """The error and the receipt; without the error where the answer itself could not be ``written``."""
        pieces: Pieces = []
        if result.error is not None and written:
            pieces.append(Note(error_text(result.error)))
        if result.denials and self._output.form == "text" and not self._output.quiet:
            denied = ", ".join(map(printable, result.denials))
            pieces.append(Note(f"note: not allowed: {denied}; to allow tools: `oneseat run --tools ...`\n"))
        policy = result.receipt.policy
        if policy is not None and policy.expires and self._output.form == "text" and not self._output.quiet:
            pieces.append(Note(f"note: {policy_expiry(policy.expires)}: `oneseat policy update`\n"))
        if not self._output.quiet:
            pieces.append(Note(receipt_line(result) + "\n"))
        return pieces

    def _rest_of(self, text: str) -> Pieces:
        pieces: Pieces = []
        streamed = "".join(self._streamed)
        if not text.startswith(streamed) and not streamed.endswith(text):
            # A block that broke off in the middle of the message, and was written again by the model that went on.
            pieces += self._take_back("a part of this was sent twice; the complete answer follows")
            streamed = ""
        rest = text[len(streamed) :]
        if text and not text.endswith("\n"):
            rest += "\n"
        return [*pieces, _text(rest)] if rest else pieces

    def _take_back(self, why: str) -> Pieces:
        # Printed text cannot be removed: say that it is not the answer.
        self._streamed.clear()
        return [b"\n", Note(f"note: {why}\n")]


def _begins_anew(event: Event) -> bool:
    return not isinstance(event, ModelFallback) or event.cause != UNANNOUNCED


def _note(event: Event) -> str | None:
    """The note on stderr for an event; ``None`` for most."""
    if isinstance(event, SessionRenewed) and event.reason != "repeated":
        told = "with a summary of the conversation" if event.carried else "without the conversation so far"
        return f"new session, {told}: {event.why}"
    if isinstance(event, Routed) and event.passed_over:
        payer = f"the key `{event.key}` ({event.provider})" if event.key else event.provider
        return f"{payer} serves this run; {'; '.join(map(_passed, event.passed_over))}"
    if isinstance(event, ModelFallback):
        why = "" if event.cause == UNANNOUNCED else f": {event.cause}"
        return f"model `{event.fallback}` answers instead of `{event.model or 'the first'}`{why}"
    if isinstance(event, LimitNear):
        return (
            f"usage window `{event.window}` is at {percent(event.used)}; "
            f"unattended runs pause at {event.pause_at_percent} %, see `oneseat limits`"
        )
    if isinstance(event, Retry) and event.by == "oneseat":
        return f"attempt failed ({event.cause}); retry in {event.delay_s or 0:.0f} s"
    return None


def _passed(one: PassedOver) -> str:
    return f"{one.candidate} cannot: {one.code}" + (f" until {local_time(one.until)}" if one.until else "")


def _text(text: str) -> bytes:
    # In a pipe or a file it is data, and stays as it came.
    return (printable(text) if sys.stdout.isatty() else text).encode("utf-8", "replace")


def _line(json: bytes) -> bytes:
    return (printable_json(json) if sys.stdout.isatty() else json) + b"\n"


#: What the status line says after an event; anything else means waiting for the model.
_STATUS: dict[type[Event], str] = {
    ThinkingDelta: "the model is thinking",
    ToolCall: "tool {name}",
    Question: "the assistant asks for {tool}",
    Retry: "retrying: {cause}",
}


def _waiting_for(event: Event) -> str:
    if isinstance(event, Progress) and event.state == "compacting":
        return "compacting the conversation"
    if isinstance(event, Progress) and event.state == "queued":
        return "waiting for other runs"
    return _STATUS.get(type(event), "waiting for the model").format(**msgspec.structs.asdict(event))
