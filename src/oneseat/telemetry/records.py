"""Log records of the standard logger ``oneseat``, redacted before any handler sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable

#: The only logger. Silent until a program that uses oneseat configures it.
LOGGER = logging.getLogger("oneseat")
LOGGER.addHandler(logging.NullHandler())

Field = str | int | float | bool | None


class EventLog:
    """Writes log records. Redacts them here, so that no handler has to."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def write(self, level: int, event: str, message: str, /, **fields: Field) -> None:
        """Log ``message``. The record's ``oneseat`` attribute holds the ``event`` name and ``fields``."""
        if not LOGGER.isEnabledFor(level):
            return
        clean = {
            name: self._redact(value) if isinstance(value, str) else value for name, value in fields.items()
        }
        # Without arguments, logging does not interpret `%` in the text.
        LOGGER.log(level, self._redact(message), extra={"oneseat": {"event": event, **clean}}, stacklevel=2)


def has_handlers() -> bool:
    """Whether any handler would get a record."""
    logger: logging.Logger | None = LOGGER
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
