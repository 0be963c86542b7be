"""The server process: one installation and one app, shared by all entry points that the settings enable."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from oneseat._util.time import iso_ms
from oneseat.app import Installation
from oneseat.app.eligibility import RunEligibility
from oneseat.app.wiring import App, opened_app
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.http import HttpOptions

from .daemon.server import Server
from .daemon.start import only_server, serve

if TYPE_CHECKING:
    from .gateway.server import Gateway


class Runtime:
    """The server of this process."""

    def __init__(self, daemon: Server, folder: Path, gateway: Gateway | None) -> None:
        self._daemon = daemon
        self._folder = folder
        self._gateway = gateway

    async def serve(self, say: Callable[[str], None]) -> None:
        """Serve until ``stop``; returns when every run has ended. ``say`` prints a line for the user.

        Raises ``UsageError`` ``usage.server_socket``.
        """
        async with self._gateway.serving() if self._gateway is not None else contextlib.nullcontext():
            if self._gateway is not None:
                say(f"Listening on {self._gateway.address}")
            await serve(self._daemon, self._folder, say)

    def stop(self) -> None:
        """Stop once the active runs have ended; a second call cancels them."""
        self._daemon.stop()
        if self._gateway is not None:
            self._gateway.stop()


@contextlib.asynccontextmanager
async def opened_runtime(here: Installation, http: HttpOptions | None = None) -> AsyncIterator[Runtime]:
    """The only server of this home, with its ledger open but not listening yet; with ``http`` it also serves HTTP.

    Raises ``UsageError``: ``usage.server_running``, ``usage.http_missing`` without the extra `serve`, or when the settings, the
    folders, the ledger or the port cannot be used.
    """
    here = here.outside_projects()
    eligibility = RunEligibility(here)
    here.paths.ensure()
    since = iso_ms(datetime.now(UTC))
    with only_server(here.paths.serve_dir, since):
        async with opened_app(here, warm=here.settings.pool_size, as_command=True) as app:
            gateway = None if http is None else _gateway(here, app, http)
            yield Runtime(Server(app, eligibility, since), here.paths.serve_dir, gateway)


def _gateway(here: Installation, app: App, http: HttpOptions) -> Gateway:
    try:
        from .gateway.server import Gateway  # noqa: PLC0415 - an extra, which runs of other commands do without
    except ModuleNotFoundError as error:
        if error.name not in {"starlette", "uvicorn"}:
            raise
        raise UsageError(
            ErrorInfo(
                code="usage.http_missing",
                message="The HTTP server is not installed",
                hint="Install it: `pip install 'oneseat[serve]'`, or do without: `oneseat serve --no-http`",
            )
        ) from None
    return Gateway(here, app, http)
