"""The lines to and from one process of the official CLI, and what its end means when it comes too early."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from oneseat.contract.errors import ErrorInfo, OneseatError, WhoseTurn
from oneseat.contract.events import Stderr
from oneseat.host.child import Child
from oneseat.host.last_words import how_it_ended, stderr_event, was_killed
from oneseat.host.lines import OversizedLine

from . import failures, messages, wire

#: How long the CLI may take to exit after it closed its output, in seconds.
_EXIT_S = 2.0
#: How much of stderr an error message carries.
_STDERR_SHOWN = 2000

OtherLine = Callable[[wire.KnownLine | wire.Undecoded], None]


class Channel:
    """One process's lines. It outlives a run where the process does. ``redact`` cleans what of the output enters an error."""

    def __init__(self, child: Child, redact: Callable[[str], str]) -> None:
        self._child = child
        self.redact = redact
        self._batches = child.batches()
        self._lines: deque[wire.KnownLine | wire.Undecoded] = deque()
        self._asked: dict[str, str] = {}
        self._answers: dict[str, wire.ControlAnswer] = {}
        self._garbage = 0
        self._requests = 0

    async def write(self, data: bytes) -> None:
        """Write a whole line."""
        # A CLI that reads no more is dead or dying. What it printed before that says more than a broken pipe, and is still to
        # be read; should it live on, the watchdog ends the wait.
        with contextlib.suppress(OSError):
            await self._child.write(data)

    async def send(self, subtype: str, **fields: Any) -> str:
        """Send a control request; returns the id that ``answer`` waits for. Several may be under way at once."""
        self._requests += 1
        request_id = f"oneseat-{self._requests}"
        self._asked[request_id] = subtype
        await self.write(messages.control_request(request_id, subtype, **fields))
        return request_id

    async def answer(self, request_id: str, other: OtherLine) -> dict[str, Any]:
        """Wait for the answer to a control request; ``other`` gets the lines that come first.

        Raises ``OneseatError`` (``provider.*``) when the CLI refuses, dies, or has lost the conversation.
        """
        while request_id not in self._answers:
            if not await self.more():
                raise await self.death(f"before it answered `{self._asked[request_id]}`")
            line = self._lines.popleft()
            if isinstance(line, wire.ControlResponse):
                self._answers[line.response.request_id] = line.response
            elif isinstance(line, wire.ResultLine) and any(map(failures.says_lost, line.errors)):
                raise _lost()
            else:
                other(line)
        answer, subtype = self._answers.pop(request_id), self._asked.pop(request_id)
        if answer.subtype != "success":
            raise self._error("garbled", f"The CLI refused the control request `{subtype}`: {answer.error}")
        return answer.response or {}

    async def ask(self, subtype: str, other: OtherLine, **fields: Any) -> dict[str, Any]:
        """Send a control request and wait for its answer. Raises like ``answer``."""
        return await self.answer(await self.send(subtype, **fields), other)

    async def more(self) -> bool:
        """Wait until there is a line to take; false at the end of the output. Lines come many at a time, for speed."""
        while not self._lines:
            batch = await anext(self._batches, None)
            if batch is None:
                return False
            self._lines.extend(map(self._decode, batch))
        return True

    @property
    def lines(self) -> deque[wire.KnownLine | wire.Undecoded]:
        """The lines that have come and were not taken."""
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
        stderr, said = self._child.stderr_tail().text, self.stderr()
        # Cut after it was redacted: the rest of a credential that was cut in two would not be recognised.
        words = said.text[-_STDERR_SHOWN:] if said is not None else ""
        if "unknown option" in stderr:
            return self._error(
                "too_old", f"The official CLI does not know an option that oneseat needs\n  {words}", "you"
            )
        if failures.says_lost(stderr):
            return _lost()
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

    def _decode(self, line: bytes | OversizedLine) -> wire.KnownLine | wire.Undecoded:
        if isinstance(line, OversizedLine):
            why = f"line of {line.size} bytes, longer than 64 MiB; its start is kept"
            known: wire.KnownLine | wire.Undecoded = wire.Undecoded(line.start, why)
        else:
            known = wire.decode(line)
        self._garbage += isinstance(known, wire.Undecoded)
        return known

    def _error(self, word: str, message: str, whose_turn: WhoseTurn = "provider") -> OneseatError:
        hint = "Check the installation: `oneseat doctor`"
        return OneseatError(
            ErrorInfo(code=f"provider.{word}", message=self.redact(message), hint=hint, whose_turn=whose_turn)
        )


def _lost() -> OneseatError:
    lost = failures.SESSION_LOST
    return OneseatError(
        ErrorInfo(code=lost.code, message=lost.what, hint=lost.hint, whose_turn=lost.whose_turn)
    )
