"""The server process: one installation and one app, shared by all entry points that the settings enable."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from oneseat._util.time import iso_ms
from oneseat.app import Installation
from oneseat.app.eligibility import RunEligibility
from oneseat.app.wiring import opened_app

from .daemon.server import Server
from .daemon.start import only_server, serve


class Runtime:
    """The server of this process."""

    def __init__(self, daemon: Server, folder: Path) -> None:
        self._daemon = daemon
        self._folder = folder

    async def serve(self, say: Callable[[str], None]) -> None:
        """Serve until ``stop``; returns when every run has ended. ``say`` prints a line for the user.

        Raises ``UsageError`` ``usage.server_socket``.
        """
        await serve(self._daemon, self._folder, say)

    def stop(self) -> None:
        """Stop once the active runs have ended; a second call cancels them."""
        self._daemon.stop()


@contextlib.asynccontextmanager
async def opened_runtime(here: Installation) -> AsyncIterator[Runtime]:
    """The only server of this home, with its ledger open but not listening yet.

    Raises ``UsageError``: ``usage.server_running``, or when the settings, the folders or the ledger cannot be used.
    """
    here = here.outside_projects()
    eligibility = RunEligibility(here)
    here.paths.ensure()
    since = iso_ms(datetime.now(UTC))
    with only_server(here.paths.serve_dir, since):
        async with opened_app(here, warm=here.settings.pool_size, as_command=True) as app:
            yield Runtime(Server(app, eligibility, since), here.paths.serve_dir)
