"""One process of the app-server as messages: what is asked of it, what it answers, and how its death is told."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, WhoseTurn
from oneseat.contract.events import Stderr
from oneseat.host.child import Child
from oneseat.host.last_words import how_it_ended, stderr_event, was_killed
from oneseat.host.lines import OversizedLine

from . import failures, wire

A = TypeVar("A")
#: How long the CLI may take to exit after it closed its output, in seconds.
_EXIT_S = 2.0
#: How much of stderr an error message carries.
_STDERR_SHOWN = 2000
_NOT_SUPPORTED = -32601

OtherLine = Callable[[wire.Line], Awaitable[None]]


class RpcRefused(OneseatError):  # noqa: N818 - reads as what happened
    """Raised when the CLI refuses a request. ``said`` is its own answer, not redacted."""

    def __init__(self, info: ErrorInfo, said: wire.RpcError) -> None:
        super().__init__(info)
        self.said = said


class Channel:
    """One process's messages. It outlives a run where the process does. ``redact`` cleans what of the output enters an error."""

    def __init__(self, child: Child, redact: Callable[[str], str]) -> None:
        self._child = child
        self.redact = redact
        self._batches = child.batches()
        self._lines: deque[wire.Line] = deque()
        self._asked: dict[int, str] = {}
        self._answers: dict[int, wire.Envelope] = {}
        self._garbage = 0
        self._requests = 0

    async def write(self, message: dict[str, Any]) -> None:
        """Write one message."""
        # A CLI that reads no more is dead or dying. What it printed before that says more than a broken pipe, and is still to
        # be read; should it live on, the watchdog ends the wait.
        with contextlib.suppress(OSError):
            await self._child.write(msgspec.json.encode(message) + b"\n")

    async def send(self, method: str, params: object = None) -> int:
        """Send a request; returns the number that ``answer`` waits for. Several may be under way at once."""
        self._requests += 1
        self._asked[self._requests] = method
        message: dict[str, Any] = {"id": self._requests, "method": method}
        await self.write(message if params is None else {**message, "params": params})
        return self._requests

    async def answer(self, number: int, kind: type[A], other: OtherLine) -> A:
        """Wait for the answer to a request; ``other`` gets the messages that come first.

        Raises ``RpcRefused`` when the CLI refuses, ``OneseatError`` (``provider.*``) when it dies or answers what cannot be read.
        """
        while number not in self._answers:
            if not await self.more():
                raise await self.death(f"before it answered `{self._asked[number]}`")
            line = self._lines.popleft()
            if isinstance(line, wire.Envelope) and line.method is None and isinstance(line.id, int):
                self._answers[line.id] = line
            else:
                await other(line)
        answer, method = self._answers.pop(number), self._asked.pop(number)
        if answer.error is not None:
            info = failures.refused_request(answer.error)
            raise RpcRefused(msgspec.structs.replace(info, message=self.redact(info.message)), answer.error)
        try:
            return msgspec.json.decode(answer.result, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._error("garbled", f"The official CLI's answer to `{method}` cannot be read") from None

    async def ask(self, method: str, params: object, kind: type[A], other: OtherLine) -> A:
        """Send a request and wait for its answer. Raises like ``answer``."""
        return await self.answer(await self.send(method, params), kind, other)

    async def reply(self, question: str, result: object) -> None:
        """Answer a question of the CLI; ``question`` is its id as JSON."""
        await self.write({"id": msgspec.Raw(question.encode()), "result": result})

    async def decline(self, line: wire.Envelope) -> None:
        """Say that a question will not be answered: left unanswered, the CLI would wait for ever."""
        error = {"code": _NOT_SUPPORTED, "message": f"oneseat does not answer {line.method}"}
        await self.write({"id": line.id, "error": error})

    async def more(self) -> bool:
        """Wait until there is a message to take; false at the end of the output."""
        while not self._lines:
            batch = await anext(self._batches, None)
            if batch is None:
                return False
            self._lines.extend(map(self._decode, batch))
        return True

    @property
    def lines(self) -> deque[wire.Line]:
        """The messages that have come and were not taken."""
        return self._lines

    def stderr(self) -> Stderr | None:
        """The end of what the CLI printed on stderr, redacted; whole once the process is gone."""
        return stderr_event(self._child.stderr_tail(), self.redact)

    async def close(self) -> None:
        """Stop reading."""
        await self._batches.aclose()

    async def death(self, when: str) -> OneseatError:
        """The error of a CLI that closed its output ``when`` it should not."""
        exited = await self._child.wait(_EXIT_S)
        said = self.stderr()
        # Cut after it was redacted: the rest of a credential that was cut in two would not be recognised.
        words = said.text[-_STDERR_SHOWN:] if said is not None else ""
        if not exited:
            return self._error(
                "output_closed", f"The official CLI closed its output {when} and went on running"
            )
        how = how_it_ended(self._child.returncode)
        if self._garbage:
            return self._error(
                "garbled",
                f"The official CLI {how} {when}\n  lines of its output that could not be read: {self._garbage}",
            )
        return self._error(
            "killed" if was_killed(self._child.returncode) else "crashed",
            f"The official CLI {how} {when}" + (f"\n  its last words: {words}" if words else ""),
        )

    def _decode(self, line: bytes | OversizedLine) -> wire.Line:
        if isinstance(line, OversizedLine):
            why = f"line of {line.size} bytes, longer than 64 MiB; its start is kept"
            known: wire.Line = wire.Undecoded(line.start, why)
        else:
            known = wire.decode(line)
        self._garbage += isinstance(known, wire.Undecoded)
        return known

    def _error(self, word: str, message: str, whose_turn: WhoseTurn = "provider") -> OneseatError:
        hint = "Check the installation: `oneseat doctor`"
        return OneseatError(
            ErrorInfo(code=f"provider.{word}", message=self.redact(message), hint=hint, whose_turn=whose_turn)
        )
