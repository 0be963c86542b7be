"""The log of the `oneseat` command: one JSON object per line, to stderr or to a private file."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from oneseat._util.time import iso_ms
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.ownership import refuse_strangers

from .records import LOGGER

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
#: With O_APPEND, several processes can write whole lines into one file.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class JsonLines(logging.Handler):
    """Writes each record with one call, so that lines of several processes never mix. Write errors are ignored."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def createLock(self) -> None:  # noqa: N802 - the name is the standard library's
        """Use no lock: one call writes one line, and a hung write must not block other threads or the exit."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record without the lock: one call writes one line. Since Python 3.13 the inherited method needs a lock."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        with contextlib.suppress(OSError):  # a full disk or a closed pipe must not end a run
            os.write(self._descriptor, line_of(record))


def line_of(record: logging.LogRecord) -> bytes:
    """A record as JSON. ASCII only, so that it cannot contain terminal codes."""
    fields = {
        "at": iso_ms(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
        **getattr(record, "oneseat", {}),
        "message": record.getMessage(),
        "pid": record.process,
    }
    return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


@contextlib.contextmanager
def logging_to(level: str, file: str | None) -> Iterator[None]:
    """Log to ``file``, or to stderr, from ``level`` on.

    Raises ``UsageError``: ``usage.log_file`` when it cannot be written, ``usage.foreign_file`` when it is another user's.
    """
    with _opened(file) as descriptor:
        handler, before = JsonLines(descriptor), LOGGER.level
        LOGGER.addHandler(handler)
        LOGGER.setLevel(_LEVELS[level])
        try:
            yield
        finally:
            LOGGER.setLevel(before)
            LOGGER.removeHandler(handler)


@contextlib.contextmanager
def _opened(file: str | None) -> Iterator[int]:
    if file is None:
        yield sys.stderr.fileno()
        return
    path = Path(os.path.expanduser(file))  # noqa: PTH111 - Path.expanduser raises where there is no home folder
    refuse_strangers(path)
    try:
        descriptor = _open(path)
    except OSError as error:
        raise UsageError(
            ErrorInfo(
                code="usage.log_file",
                message=f"The log cannot be written: `{path}`\n  {error.strerror or error}",
                hint="Name another file in `log.file`, or send the log to stderr: `unset ONESEAT_LOG_FILE`",
            )
        ) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # Non-blocking: opening a named pipe without a reader would hang; this way it fails.
    without_waiting = getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, _FLAGS | without_waiting, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(None, "it is not a regular file")
