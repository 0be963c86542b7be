"""The HTTP transport to one endpoint with one key, which environment variables of an SDK cannot change.

The SDKs read keys, URLs, headers and proxies from environment variables and files (measured). They get a placeholder for
the key; this transport sends to its own endpoint only, with its own headers.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, TypedDict

import httpx2

from oneseat._util import tolerant
from oneseat.contract.errors import ErrorInfo, InternalError, OneseatError

from .endpoint import PLACEHOLDER, Answered, Endpoint
from .failures import LINE_TOO_LONG

#: The only headers that an SDK may set, as they describe the body.
_PASSED = ("content-length", "transfer-encoding")
#: Timeouts in seconds. The engine's watchdog limits how long an answer may take.
_PATIENCE = {"connect": 30.0, "read": None, "write": None, "pool": None}

#: A longer line would fill the memory. The official CLI's lines have the same limit.
_MAX_LINE_BYTES = 64 * 1024 * 1024


class Options(TypedDict):
    """The constructor arguments shared by the SDKs of the same design."""

    api_key: str
    base_url: str
    http_client: httpx2.AsyncClient
    max_retries: int


def options(endpoint: Endpoint) -> Options:
    """The options of an SDK client for one endpoint. It does not retry: the engine decides about retries."""
    return Options(
        api_key=PLACEHOLDER, base_url=endpoint.base_url, http_client=client(endpoint), max_retries=0
    )


def client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """The HTTP client to pass to an SDK. It does not follow redirects, which could lead anywhere."""
    return httpx2.AsyncClient(
        transport=_PinnedTransport(endpoint), trust_env=False, follow_redirects=False, timeout=None
    )


class _PinnedTransport(httpx2.AsyncBaseTransport):
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        plain = endpoint.base_url.startswith("http:")
        self._transport = httpx2.AsyncHTTPTransport(
            verify=_no_certificates() if plain else _certificates(), trust_env=False
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the endpoint. Raises ``InternalError`` for any other address."""
        response = await self._transport.handle_async_request(self._pinned(request))
        self._endpoint.answered = Answered(response.status_code, response.headers.get("content-type", ""))
        if "content-encoding" not in response.headers:
            response.stream = _Mended(response.stream)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    def _pinned(self, request: httpx2.Request) -> httpx2.Request:
        here, there = httpx2.URL(self._endpoint.base_url), request.url
        same = (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
        if not same or not there.path.startswith(here.path.rstrip("/")):
            raise InternalError(
                ErrorInfo(
                    code="bug.strange_address",
                    message=f"An SDK tried to send to an address other than `{self._endpoint.base_url}`\n  nothing was sent",
                    whose_turn="bug",
                )
            )
        passed = {name: request.headers[name] for name in _PASSED if name in request.headers}
        return httpx2.Request(
            request.method,
            there,
            headers={"host": there.netloc.decode("ascii"), **self._endpoint.headers, **passed},
            stream=request.stream,
            extensions={"timeout": _PATIENCE},
        )


class _Mended(httpx2.AsyncByteStream):
    """A response in whole lines, without lone surrogates: a later request could not repeat an answer that contains one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        kept: list[bytes] = []
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > _MAX_LINE_BYTES:
                raise OneseatError(LINE_TOO_LONG.info(f"{_MAX_LINE_BYTES >> 20} MiB without a line end"))
            end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1
            if end:
                yield tolerant.mended(b"".join((*kept, chunk[:end])))
                kept.clear()
                size = len(chunk) - end
            kept.append(chunk[end:])
        yield tolerant.mended(b"".join(kept))

    async def aclose(self) -> None:
        await self._stream.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates. Loading them takes 50 ms, so this is done once per process."""
    return httpx2.create_ssl_context(trust_env=False)


@cache
def _no_certificates() -> ssl.SSLContext:
    """A context without trusted certificates, for a server on this machine that is used without encryption."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
