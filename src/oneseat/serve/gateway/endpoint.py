"""One request of a chat API: read, admitted, answered piece by piece, and ended when its client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from oneseat._util import tolerant
from oneseat._util.json import to_json
from oneseat.app.gateway.cache import AnswerCache
from oneseat.app.gateway.talks import Talks
from oneseat.contract.errors import OneseatError
from oneseat.contract.gateway.chat import Answering, Broke, Chat, Piece
from oneseat.contract.gateway.clients import ApiClient

from .access import Admission, Receive, Scope, Send, read_body, reply
from .dialects.base import Dialect
from .dialects.fields import bad
from .errors import bug_of, refusal
from .order import Order

_STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
_JSON = [(b"content-type", b"application/json")]


class ChatEndpoint:
    """An ASGI app that answers in one dialect."""

    def __init__(self, dialect: Dialect, talks: Talks, admission: Admission, cache: AnswerCache) -> None:
        self._dialect = dialect
        self._talks = talks
        self._admission = admission
        self._cache = cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client: ApiClient = scope["state"]["client"]
        try:
            body = await read_body(scope, receive)
        except ConnectionError:
            return
        chat = self._dialect.read(decode(body))
        self._check_hints(client, chat)
        work = asyncio.ensure_future(self._answer(scope, send, client, chat, body))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Also when this task is cancelled: nobody pays for an answer that nobody reads.
            gone.cancel()
            if not work.done():
                work.cancel()
            await asyncio.wait({work})
        if not work.cancelled():
            work.result()

    def _check_hints(self, client: ApiClient, chat: Chat) -> None:
        hints = [name for name in chat.ignored if name not in self._dialect.required]
        if hints and client.on_unsupported == "refuse":
            raise bad(hints[0], "the plan's program cannot follow it, and this client wants to know")

    async def _answer(self, scope: Scope, send: Send, client: ApiClient, chat: Chat, body: bytes) -> None:
        key = self._cache.key(client, scope["path"], body, chat)
        found = self._cache.find(key) if key is not None else None
        if found is not None:
            await self._give(send, chat, found.answering, _again(found.pieces), "hit")
            return
        async with self._admission.admitted(client), self._talks.answer(client, chat) as (answering, pieces):
            scope["state"]["run_id"] = answering.run_id
            given = await self._give(send, chat, answering, pieces, "off" if key is None else "miss")
            if key is not None:
                self._cache.keep(key, client, answering, given)

    async def _give(
        self, send: Send, chat: Chat, answering: Answering, pieces: AsyncIterator[Piece], cached: str
    ) -> list[Piece]:
        """Write an answer, and return the pieces of one that may be kept or was not streamed."""
        order, writer = Order(), self._dialect.writer(chat)
        first = await anext(pieces, Broke(bug_of()))
        if isinstance(first, Broke):
            raise OneseatError(first.error)
        given = [order.take(first)]
        headers = _headers(chat, answering, cached)
        if not chat.stream:
            given += [order.take(piece) async for piece in pieces]
            if isinstance(given[-1], Broke):
                raise OneseatError(given[-1].error)
            await reply(send, 200, [*_JSON, *headers], to_json(writer.whole(given)))
            return given
        await send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *headers]})
        await _write(send, writer.piece(first))
        try:
            async for piece in pieces:
                await _write(send, writer.piece(order.take(piece)))
                if cached == "miss":
                    given.append(piece)
        except OneseatError as error:
            await _write(send, writer.piece(Broke(error.info)))
        else:
            if not order.is_over:
                await _write(send, writer.piece(Broke(bug_of())))
        await send({"type": "http.response.body", "body": b""})
        return given


async def _write(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _again(pieces: Iterable[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


def decode(body: bytes) -> dict[str, Any]:
    """A body as an object. Raises ``ApiError``."""
    try:
        found = msgspec.json.decode(tolerant.mended(body))
    except RecursionError:
        raise refusal("usage.bad_request", "The request is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise refusal("usage.bad_request", f"The request is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise refusal("usage.bad_request", "The request is not a JSON object")
    return found


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(chat: Chat, answering: Answering, cached: str) -> list[tuple[bytes, bytes]]:
    found = [
        (b"oneseat-run-id", answering.run_id),
        (b"oneseat-wallet", answering.wallet),
        (b"oneseat-history", answering.history),
        (b"oneseat-cache", cached),
    ]
    if chat.ignored:
        found.append((b"oneseat-ignored", ", ".join(chat.ignored)))
    return [(name, value.encode("latin-1", "replace")) for name, value in found]
