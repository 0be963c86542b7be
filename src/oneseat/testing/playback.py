"""Sends one reply on one connection, including its faults and pauses."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from .dialects import Dialect
from .dialects.common import Ask, Part
from .http import Connection, Headers
from .replies import Answer, Failure, Limits, NoAnswer, Page, Reply, ToolRound

_JSON = ("content-type", "application/json")
_SSE = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]


class Playback:
    """Sends one reply in one API. ``started_at`` is when the simulator started, in seconds since 1970."""

    def __init__(self, connection: Connection, api: Dialect, request_id: str, started_at: float) -> None:
        self._connection = connection
        self._api = api
        self._request_id = request_id
        self._started_at = started_at

    async def play(self, reply: Reply, ask: Ask, message_id: str) -> None:
        """Send ``reply``, which ``settle`` has filled in for this request."""
        match reply:
            case Answer():
                await self._answer(reply, ask, message_id)
            case Failure():
                await self.fail(reply)
            case Page():
                headers = [("content-type", reply.content_type)]
                await self._connection.respond(reply.status, headers, reply.body.encode())
            case NoAnswer(fault="reset"):
                await self._connection.reset()
            case NoAnswer():
                await self._connection.pause(None)
            case ToolRound():
                raise TypeError(f"a reply that `settle` has not settled: {reply!r}")

    async def fail(self, failure: Failure) -> None:
        """Send an error in the API's own shape."""
        headers = [_JSON, *self._headers(failure.limits)]
        if failure.retry_after_s is not None:
            headers.append(("retry-after", str(failure.retry_after_s)))
        status, body = self._api.failure(failure, self._request_id)
        await self._connection.respond(status, headers, msgspec.json.encode(body))

    async def _answer(self, answer: Answer, ask: Ask, message_id: str) -> None:
        if answer.delay_s:
            await self._connection.pause(answer.delay_s)
        headers = self._headers(answer.limits)
        if not ask.stream:
            body = msgspec.json.encode(self._api.whole(answer, ask, message_id))
            await self._connection.respond(200, [_JSON, *headers], body)
            return
        await self._connection.begin(200, [*_SSE, *headers])
        parts = self._api.parts(answer, ask, message_id)
        if answer.fault is None:
            await self._stream(parts, answer.pace_s)
            await self._connection.finish()
        else:
            await self._stream(_up_to(parts, answer.fault_after), answer.pace_s)
            await self._break(answer)

    async def _stream(self, parts: Iterable[Part], pace_s: float) -> None:
        if not pace_s:
            await self._connection.write(b"".join(part.encode() for part in parts))
            return
        for part in parts:
            if part.is_delta:
                await self._connection.pause(pace_s)
            await self._connection.write(part.encode())

    async def _break(self, answer: Answer) -> None:
        match answer.fault:
            case "reset":
                await self._connection.reset()
            case "eof":
                await self._connection.cut()
            case "error":
                await self._connection.write(self._api.broken().encode())
                await self._connection.finish()
            case "hang":
                await self._connection.pause(None)
            case "pings":
                while True:
                    await self._connection.pause(answer.pace_s)
                    await self._connection.write(self._api.PING)

    def _headers(self, limits: Limits | None) -> Headers:
        return [
            ("request-id", self._request_id),
            *(self._api.limit_headers(limits, self._started_at) if limits is not None else ()),
        ]


def _up_to(parts: Iterator[Part], deltas: int) -> Iterator[Part]:
    """The parts up to and including that many deltas; only the head of the message for 0."""
    if deltas == 0:
        yield from itertools.takewhile(lambda part: not part.is_delta, parts)
        return
    seen = 0
    for part in parts:
        yield part
        seen += part.is_delta
        if seen == deltas:
            return
