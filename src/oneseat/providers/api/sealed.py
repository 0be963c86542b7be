"""The way to one endpoint with one key. Whatever an SDK reads from its surroundings ends here.

The SDKs look at environment variables and files for keys, addresses, headers and proxies (measured). They are given a
placeholder for the key; this transport sends to the endpoint it was made for and nowhere else, with headers of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from oneseat.contract.errors import ErrorInfo, InternalError

if TYPE_CHECKING:
    import ssl

    import httpx2

#: Handed to the SDKs in the key's place; it never leaves this process.
PLACEHOLDER = "the-key-is-added-by-oneseat"
#: The only headers that an SDK may decide, as they describe the body.
_PASSED = ("content-length", "transfer-encoding")
_CONNECT_S = 30.0


class Answered(NamedTuple):
    """The head of a response."""

    status: int
    content_type: str


class Sealed:
    """Makes the HTTP client of one conversation. ``headers`` are all that is sent, but for the key and what the body needs.

    ``answered`` is the head of the last response, ``requests`` counts what was sent.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        self.answered: Answered | None = None
        self.requests = 0
        self._headers = headers
        self._key: tuple[str, str] | None = None

    def unlock(self, header: str, value: str) -> None:
        """Send the key from now on, as the value of ``header``."""
        self._key = (header, value)

    def client(self) -> httpx2.AsyncClient:
        """The client to give to an SDK. Redirects are not followed: they could lead anywhere."""
        import httpx2  # noqa: PLC0415 - it comes with the SDKs, and only a run that uses one loads it

        return httpx2.AsyncClient(
            transport=_transport(self), trust_env=False, follow_redirects=False, timeout=None
        )  # fmt: skip

    def request(self, request: httpx2.Request) -> httpx2.Request:
        """The request as it may leave."""
        import httpx2  # noqa: PLC0415 - as above

        here, there = httpx2.URL(self.base_url), request.url
        same = (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
        if not same or not there.path.startswith(here.path.rstrip("/")):
            raise InternalError(
                ErrorInfo(
                    code="bug.strange_address",
                    message=f"An SDK tried to send to another address than `{self.base_url}`\n  nothing was sent",
                    whose_turn="bug",
                )
            )
        passed = {name: request.headers[name] for name in _PASSED if name in request.headers}
        key = () if self._key is None else (self._key,)
        self.requests += 1
        return httpx2.Request(
            request.method,
            there,
            headers={"host": there.netloc.decode("ascii"), **self._headers, **passed, **dict(key)},
            stream=request.stream,
            extensions={
                "timeout": {"connect": _CONNECT_S, "read": None, "write": None, "pool": None},
            },
        )


def _transport(sealed: Sealed) -> Any:
    import httpx2  # noqa: PLC0415 - as above

    class Transport(httpx2.AsyncBaseTransport):
        """Lets through what ``sealed`` allows."""

        def __init__(self) -> None:
            plain = sealed.base_url.startswith("http:")
            verify = False if plain else _certificates()
            self._way = httpx2.AsyncHTTPTransport(verify=verify, trust_env=False)

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            response = await self._way.handle_async_request(sealed.request(request))
            sealed.answered = Answered(response.status_code, response.headers.get("content-type", ""))
            return response

        async def aclose(self) -> None:
            await self._way.aclose()

    return Transport()


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust. Reading them takes 50 ms, so once per process."""
    import httpx2  # noqa: PLC0415 - as above

    return httpx2.create_ssl_context(trust_env=False)
