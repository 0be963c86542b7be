"""One server per home, across processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, UsageError

from .file_lock import release, take
from .locks import Holder, holder_of, sign
from .paths import home_error

_POLL_S = 0.05
#: How long a lock may be held by a process that has not yet written its name, in seconds.
_SIGNED_S = 1.0


@contextmanager
def server_lock(path: Path, since: str) -> Iterator[None]:
    """Held by the one server of a home for its life; ``since`` is when it started.

    Raises ``UsageError`` ``usage.server_running`` with the one that holds it, or ``usage.home_*``.
    """
    try:
        descriptor = take(path)
    except OSError as error:
        raise home_error(error, path) from None
    if descriptor is None:
        raise _running(_signed_holder(path))
    try:
        sign(descriptor, since)
        yield
    finally:
        release(descriptor, path)


def _signed_holder(path: Path) -> Holder | None:
    # Of two that start at once, the other has the lock and is about to write its name.
    deadline = time.monotonic() + _SIGNED_S
    while (holder := holder_of(path)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return holder


def _running(holder: Holder | None) -> UsageError:
    who = f"process {holder.pid}, since {holder.run_id}" if holder else "another process"
    return UsageError(
        ErrorInfo(
            code="usage.server_running",
            message=f"A server is already running for this home: `{who}`",
            hint="Check it: `oneseat status`; stop it: `oneseat serve --stop`",
        )
    )
