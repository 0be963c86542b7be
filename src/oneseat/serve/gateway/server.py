"""The HTTP server: its address, its pages, and how it ends without losing an answer."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from uvicorn.protocols.http.h11_impl import H11Protocol

from oneseat.app import Installation
from oneseat.app.gateway.cache import AnswerCache
from oneseat.app.gateway.clients import ClientBook
from oneseat.app.gateway.requests import count_tokens, find_target, model_names
from oneseat.app.gateway.talks import Talks
from oneseat.app.wiring import App
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.http import HttpOptions

from .access import Admission, AsgiApp, Door, Receive, Scope, Send, read_body
from .dialects.completions import Completions
from .dialects.messages import Messages
from .dialects.responses import Responses
from .endpoint import ChatEndpoint, decode
from .errors import refusal
from .native import NativeApi, answer, client_of

#: How many connections are open at once at most.
_MOST_CONNECTIONS = 512
#: How long the head of the first request may take, in seconds.
_FIRST_REQUEST_S = 20.0
#: When a model was made is not known here; the APIs demand a day.
_MADE = "2026-01-01T00:00:00Z"


class Gateway:
    """Serves HTTP for the clients of one home."""

    def __init__(self, here: Installation, app: App, options: HttpOptions) -> None:
        self._here = here
        self._options = options
        self._talks = Talks(here, app, api_only=options.api_only)
        self._native = NativeApi(here, app, api_only=options.api_only)
        self._began = time.time()
        self._draining = False
        book = ClientBook(here)
        self.asgi: AsgiApp = Door(
            self._pages(), book, local=options.is_loopback, draining=lambda: self._draining
        )
        config = uvicorn.Config(
            self.asgi,
            access_log=False,
            http=_Connection,
            lifespan="off",
            log_config=None,
            log_level="critical",
            limit_concurrency=_MOST_CONNECTIONS,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
            timeout_graceful_shutdown=int(here.settings.serve_drain_s),
            ws="none",
        )
        self._server = _Server(_load(config))
        self._listener = _listen(options)

    @property
    def address(self) -> str:
        """Where it is reached."""
        host, port = self._listener.getsockname()[:2]
        scheme = "http" if self._options.tls_cert is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve as long as this is held; leaving waits for the answers that go on."""
        task = asyncio.ensure_future(self._server.serve([self._listener]))
        try:
            ready = asyncio.ensure_future(self._server.ready.wait())
            await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            yield
        finally:
            if not self._draining:
                self.stop()
            await task
            await _cut(self._server.server_state.tasks)
            await self._talks.close()
            await self._native.close(0.0 if self._server.force_exit else self._here.settings.serve_drain_s)
            self._listener.close()

    def stop(self) -> None:
        """Take no new requests; called once more, cut the answers that go on."""
        self._server.force_exit = self._draining
        self._draining = self._server.should_exit = True

    def _pages(self) -> AsgiApp:
        admission, cache, messages = Admission(), AnswerCache(), Messages()
        chats = {
            "/v1/messages": ChatEndpoint(messages, self._talks, admission, cache),
            "/v1/chat/completions": ChatEndpoint(Completions(), self._talks, admission, cache),
            "/v1/responses": ChatEndpoint(Responses(), self._talks, admission, cache),
        }
        routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in chats.items()]
        routes += [
            Route("/v1/messages/count_tokens", self._count, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._model, methods=["GET"]),
            Route("/healthz", _health, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            *self._native.routes(),
        ]
        router = Router(routes)

        async def pages(scope: Scope, receive: Receive, send: Send) -> None:
            # With an app in the scope, the router raises for an unknown page instead of answering in a shape of its own.
            scope["app"] = router
            try:
                await router(scope, receive, send)
            except HTTPException as error:
                code = "usage.no_such_method" if error.status_code == 405 else "usage.no_such_page"
                raise refusal(code, f"There is no such page: `{scope['method']} {scope['path']}`") from None

        return pages

    async def _count(self, http: HttpRequest) -> Response:
        chat = Messages().read_countable(decode(await read_body(http.scope, http.receive)))
        tokens = await asyncio.to_thread(count_tokens, self._here, client_of(http), chat)
        return answer({"input_tokens": tokens})

    async def _models(self, http: HttpRequest) -> Response:
        names = await asyncio.to_thread(lambda: list(model_names(self._here, client_of(http))))
        if "anthropic-version" in http.headers:
            data = [_anthropic_model(name) for name in names]
            ends = {"first_id": names[0], "last_id": names[-1]}
            return answer({"data": data, "has_more": False, **ends})
        return answer({"object": "list", "data": [_openai_model(name) for name in names]})

    async def _model(self, http: HttpRequest) -> Response:
        name = http.path_params["name"]
        await asyncio.to_thread(find_target, self._here, client_of(http), name)
        shown = _anthropic_model if "anthropic-version" in http.headers else _openai_model
        return answer(shown(name))

    async def _metrics(self, _: HttpRequest) -> Response:
        talks = self._talks.counts()
        lines = list(_metric("oneseat_up_seconds", "gauge", time.time() - self._began))
        lines += _metric("oneseat_runs_active", "gauge", talks.active + self._native.going_on)
        lines += _metric("oneseat_runs_parked", "gauge", talks.parked)
        lines += _metric("oneseat_conversations_held", "gauge", talks.idle)
        lines += _metric("oneseat_answers_total", "counter", talks.answers)
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


class _Connection(H11Protocol):
    """A connection that is closed where no request comes in time: one that waits would keep its place from others."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_FIRST_REQUEST_S, self._check_in_time)

    def _check_in_time(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """One whose signals are its owner's, and that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _load(config: uvicorn.Config) -> uvicorn.Config:
    """Read the certificate now: the server would fail when it is asked to serve."""
    try:
        config.load()
    except (OSError, ValueError) as error:  # of which the errors of TLS are kinds
        raise UsageError(
            ErrorInfo(
                code="usage.bad_certificate",
                message=f"The certificate and its key cannot be used: `{config.ssl_certfile}`\n  {error}",
                hint="Name both as PEM files: `--tls-cert FILE --tls-key FILE`",
            )
        ) from None
    return config


def _listen(options: HttpOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host, options.port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        why = "another program listens on it" if taken else str(error)
        raise UsageError(
            ErrorInfo(
                code="usage.port_in_use" if taken else "usage.port_refused",
                message=f"The server cannot listen: `{options.host}:{options.port}`\n  {why}",
                hint="Let the system choose a free port: `oneseat serve --port 0`",
            )
        ) from None


async def _cut(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End the answers that its owner does not want to wait for."""
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _health(_: HttpRequest) -> Response:
    return PlainTextResponse("ok")


def _openai_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "oneseat"}


def _anthropic_model(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _MADE}


def _metric(name: str, kind: str, value: float) -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value:g}"
