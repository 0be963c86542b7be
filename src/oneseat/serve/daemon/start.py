"""The daemon's socket and the lock that lets one server of a home run at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.host.endpoint import LocalEndpoint
from oneseat.host.locks import server_lock

from .server import Server


@contextlib.contextmanager
def only_server(folder: Path, since: str) -> Iterator[None]:
    """Hold the lock of the one server of a home; ``since`` is when it started.

    Raises ``UsageError``: ``usage.server_running``, ``usage.server_socket``.
    """
    with _socket_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    with server_lock(folder / "serve.lock", since):
        yield


async def serve(server: Server, folder: Path, say: Callable[[str], None]) -> None:
    """Open the socket and serve until the server is told to stop. ``say`` as for ``Server.serve``.

    Raises ``UsageError`` ``usage.server_socket``.
    """
    endpoint = LocalEndpoint(str(folder))
    with _socket_errors(folder):
        listener = endpoint.listen()
    await server.serve(endpoint, listener, say)


@contextlib.contextmanager
def _socket_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.server_socket",
                message=f"The server's socket cannot be opened: `{folder}`\n  {error.strerror or error}",
                hint="Check the folder: `oneseat doctor`",
            )
        ) from None
