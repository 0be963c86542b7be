"""The JSON-RPC messages of one app-server process: our requests, its answers, and its questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from oneseat._util import tolerant
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.host.processes.child import Child
from oneseat.providers.cli_common.lines import Lines

from . import failures, wire

A = TypeVar("A")
_NOT_SUPPORTED = -32601

OtherLine = Callable[[wire.Line], Awaitable[None]]


class RpcRefused(OneseatError):  # noqa: N818 - reads as what happened
    """Raised when the CLI rejects a request. ``said`` is its error, not redacted."""

    def __init__(self, info: ErrorInfo, said: wire.RpcError) -> None:
        super().__init__(info)
        self.said = said


class Channel(Lines[wire.Envelope]):
    """The messages to and from one process."""

    def __init__(self, child: Child, redact: Callable[[str], str]) -> None:
        super().__init__(child, redact, wire.decode_all)
        self._asked: dict[int, str] = {}
        self._answers: dict[int, wire.Envelope] = {}
        self._requests = 0

    async def tell(self, message: dict[str, Any]) -> None:
        """Write one message."""
        await self.write(tolerant.encode(message) + b"\n")

    async def send(self, method: str, params: object = None) -> int:
        """Send a request; returns the id to pass to ``answer``. Several requests may be pending at once."""
        self._requests += 1
        self._asked[self._requests] = method
        message: dict[str, Any] = {"id": self._requests, "method": method}
        await self.tell(message if params is None else {**message, "params": params})
        return self._requests

    async def answer(self, number: int, kind: type[A], other: OtherLine) -> A:
        """Wait for the answer to a request; ``other`` gets the messages that arrive before it.

        Raises ``RpcRefused`` when the CLI rejects it, ``OneseatError`` (``provider.*``) when it dies or its answer is unreadable.
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
            # Decode strictly: the billing gate decides by these answers, and the tolerant decoder would fill in defaults.
            return msgspec.json.decode(tolerant.mended(bytes(answer.result)), type=kind)
        except tolerant.UNREADABLE:
            raise self._error("garbled", f"The official CLI's answer to `{method}` cannot be read") from None

    async def ask(self, method: str, params: object, kind: type[A], other: OtherLine) -> A:
        """Send a request and wait for its answer. Raises like ``answer``."""
        return await self.answer(await self.send(method, params), kind, other)

    async def reply(self, question: str, result: object) -> None:
        """Answer a request of the CLI; ``question`` is its id as JSON."""
        await self.tell({"id": msgspec.Raw(question.encode()), "result": result})

    async def decline(self, line: wire.Envelope) -> None:
        """Reject a request of the CLI, which would otherwise wait for the answer for ever."""
        error = {"code": _NOT_SUPPORTED, "message": f"oneseat does not answer {line.method}"}
        await self.tell({"id": line.id, "error": error})
