"""The lines of one process of the official CLI: what it is asked through them, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oneseat.contract.errors import OneseatError
from oneseat.host.processes.child import Child
from oneseat.providers.cli_common.lines import Lines, Undecoded
from oneseat.providers.failures import SESSION_LOST

from . import failures, messages, wire

OtherLine = Callable[[wire.KnownLine | Undecoded], None]


class Channel(Lines[wire.KnownLine]):
    """One process's lines, and the control requests among them."""

    def __init__(self, child: Child, redact: Callable[[str], str]) -> None:
        super().__init__(child, redact, wire.decode_all)
        self._asked: dict[str, str] = {}
        self._answers: dict[str, wire.ControlAnswer] = {}
        self._requests = 0

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

    def _known_death(self, stderr: str, words: str) -> OneseatError | None:
        if "unknown option" in stderr:
            return self._error(
                "too_old", f"The official CLI does not support an option that oneseat needs\n  {words}", "you"
            )
        return _lost() if failures.says_lost(stderr) else None


def _lost() -> OneseatError:
    return OneseatError(SESSION_LOST.info())
