"""A run that a server does for this command: what it says is shown here, and a signal or a reader that leaves cancels it.

No event loop and no thread, because loading them would take longer than the server takes to answer: one place waits for the
server, for signals and for stdout at once.
"""

from __future__ import annotations

import sys

from oneseat.app.client import reach
from oneseat.cli.output import Output

from .poller import Waiting


def run_remotely(request: bytes, cwd: str, output: Output, folder: str) -> int | None:
    """Have a running server do this run, and show it; returns the exit code.

    ``request`` is the JSON of a ``Request``; ``folder`` is where the server's socket is. ``None`` when no
    server does it: then nothing of it was begun. Raises ``UsageError`` ``usage.output`` when stdout cannot be written.
    """
    link = reach(folder)
    if link is None:
        return None
    asks = sys.stderr.isatty()
    with link, Waiting(link.connection) as waiting:
        try:
            link.call(request, cwd, asks=asks)
        except (OSError, ValueError):
            return None
        # The request is on its way: from here on it costs nothing to load what shows the answer.
        from .remote import Following  # noqa: PLC0415 - see above

        return Following(link, waiting, output).to_the_end()
