"""From nothing to a server that can serve: the lock, the books, the door."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from oneseat.assembly import LocalEndpoint, SystemClock, find_paths, opened_app, server_lock
from oneseat.circumstances import Circumstances
from oneseat.contract.errors import ErrorInfo, UsageError

from .serving import Server


@contextlib.asynccontextmanager
async def opened_server(env: Mapping[str, str]) -> AsyncIterator[Server]:
    """The one server of this home, its books in order and its door still closed.

    Raises ``UsageError``: ``usage.server_running``, or when the settings, the folders or the ledger cannot be used.
    """
    circumstances = Circumstances(env)
    paths = find_paths(env)
    paths.ensure()
    clock = SystemClock()
    since = clock.utc_iso()
    with _private(paths.serve_dir):
        paths.serve_dir.mkdir(mode=0o700, exist_ok=True)
    with server_lock(paths.serve_dir / "serve.lock", since):
        async with opened_app(
            env, Path(os.sep), warm=circumstances.settings.pool_size, as_command=True
        ) as app:
            yield Server(app, circumstances, clock, since)


async def serve(server: Server, env: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Open the door and serve until the server is told to stop. ``say`` as for ``Server.serve``.

    Raises ``UsageError`` ``usage.server_socket``.
    """
    folder = find_paths(env).serve_dir
    door = LocalEndpoint(str(folder))
    with _private(folder):
        listener = door.listen()
    await server.serve(door, listener, say)


@contextlib.contextmanager
def _private(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.server_socket",
                message=f"The server's socket cannot be opened: `{folder}`\n  {error.strerror or error}",
                hint="Look at the folder: `oneseat doctor`",
            )
        ) from None
