"""The door: which address and page may ask, which client it is, how much it may send. All of it before any body is parsed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from oneseat.app.gateway.clients import ClientBook
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.gateway.clients import ApiClient

from .errors import ApiError, bug_of, refusal, response_of, shape_of

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The largest body, in bytes: the largest input with its attachments as JSON.
MAX_BODY_BYTES = 64 * 1024 * 1024
#: How long a body may take to come, in seconds.
BODY_S = 60.0
#: How many requests of one client may wait for their turn.
MOST_WAITING = 64
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_MINUTE_S = 60.0


class Door:
    """Lets a request in, or answers it. A ``local`` one is reached under the names of this machine only."""

    def __init__(
        self, inner: AsgiApp, book: ClientBook, *, local: bool, draining: Callable[[], bool]
    ) -> None:
        self._inner = inner
        self._book = book
        self._local = local
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        state: dict[str, Any] = scope.setdefault("state", {})
        started = False
        info: ErrorInfo | None = None

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            self._check_origin(headers)
            if scope["path"] != "/healthz":
                state["client"] = self._recognise(headers)
            if self._draining():
                raise refusal("provider.server_stopping", "The server is shutting down", retry_after_s=5)
            await self._inner(scope, receive, noted)
        except OneseatError as error:
            info = error.info
        except Exception as error:  # noqa: BLE001 - one request's bug must not close the server, nor show a traceback
            info = bug_of(error)
        if info is not None and not started:
            await reply(send, *response_of(info, shape_of(scope["path"], headers), state.get("run_id")))

    def _check_origin(self, headers: dict[bytes, bytes]) -> None:
        host = _name_of(b"//" + headers.get(b"host", b""))
        if self._local and host not in _LOCAL:
            # A page whose name was made to lead here would have its own name in this header.
            raise refusal("policy.other_host", f"This server is not reached under that name: `{host or ''}`")
        origin = headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2] != headers.get(b"host"):
            raise refusal("policy.other_origin", "Pages of other origins may not use this server")

    def _recognise(self, headers: dict[bytes, bytes]) -> ApiClient:
        bearer = headers.get(b"authorization", b"")
        key = bearer[7:] if bearer[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")
        client = self._book.find(key.strip().decode("latin-1")) if key else None
        if client is None:
            raise refusal(
                "usage.client_key",
                "No client of this server has that key" if key else "This server asks for a key",
                "Add a client, and send its key: `oneseat clients add NAME`",
            )
        return client


def _name_of(address: bytes) -> str | None:
    try:
        return urlsplit(address.decode("latin-1")).hostname
    except ValueError:
        return None


class Admission:
    """How many requests of each client go on and wait, and how many come in a minute: no client takes another's turn."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._waiting: dict[str, int] = defaultdict(int)
        self._recent: dict[str, deque[float]] = defaultdict(deque)

    @asynccontextmanager
    async def admitted(self, client: ApiClient) -> AsyncIterator[None]:
        """Wait for this client's turn. Raises ``ApiError`` ``limit.*`` when it asks too often, or too many wait already."""
        self._count(client)
        turn = self._turns.get(client.name)
        if turn is None:
            turn = self._turns[client.name] = asyncio.Semaphore(client.parallel)
        if turn.locked() and self._waiting[client.name] >= MOST_WAITING:
            raise refusal(
                "limit.queue_full", f"Too many requests wait already: `{client.name}`", retry_after_s=1
            )
        self._waiting[client.name] += 1
        try:
            await turn.acquire()
        finally:
            self._waiting[client.name] -= 1
        try:
            yield
        finally:
            turn.release()

    def _count(self, client: ApiClient) -> None:
        if client.per_minute is None:
            return
        now, recent = self._now(), self._recent[client.name]
        while recent and recent[0] <= now - _MINUTE_S:
            recent.popleft()
        if len(recent) >= client.per_minute:
            wait = recent[0] + _MINUTE_S - now
            raise refusal(
                "limit.client_rate",
                f"The client may send {client.per_minute} requests a minute: `{client.name}`",
                retry_after_s=wait,
            )
        recent.append(now)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises ``ApiError`` for one that is too large, or too slow; ``ConnectionError`` when its sender is gone."""
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionError("the client is gone")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise refusal("usage.slow_client", f"The request did not come within {BODY_S:g} s") from None


async def reply(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _too_large() -> ApiError:
    return refusal("usage.too_large", f"The request is larger than {MAX_BODY_BYTES:,} bytes")
