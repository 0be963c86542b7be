"""Records of the standard logger ``oneseat``, clean before any handler sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable

#: The one name everything is logged under. Silent until a program that uses oneseat says otherwise.
LOGGER = logging.getLogger("oneseat")
LOGGER.addHandler(logging.NullHandler())

Field = str | int | float | bool | None


class EventLog:
    """Makes the records. ``redact`` takes credentials out of a text; it is used here, so that no handler can forget to."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def write(self, level: int, event: str, message: str, /, **fields: Field) -> None:
        """Log ``message``. The record's ``oneseat`` holds ``event``, which names what happened, and ``fields``."""
        if not LOGGER.isEnabledFor(level):
            return
        clean = {
            name: self._redact(value) if isinstance(value, str) else value for name, value in fields.items()
        }
        # Without arguments a record's text is not formatted again: a `%` in it stays one.
        LOGGER.log(level, self._redact(message), extra={"oneseat": {"event": event, **clean}}, stacklevel=2)


def has_handlers() -> bool:
    """Whether a handler would see a record at all."""
    logger: logging.Logger | None = LOGGER
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
