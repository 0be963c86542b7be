"""Times as text: ISO 8601 in UTC with a trailing ``Z``. Standard library only."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(epoch: float) -> str:
    """A time in seconds since 1970 as text, with full precision. Raises ``OverflowError``, ``ValueError`` or ``OSError``."""
    return _with_z(datetime.fromtimestamp(epoch, UTC).isoformat())


def iso_reported(epoch: float | None) -> str | None:
    """A time that a program reports, in seconds since 1970; ``None`` if it reports none or one that ``datetime`` cannot hold."""
    if epoch is None:
        return None
    try:
        return iso(epoch)
    except (OverflowError, ValueError, OSError):
        return None


def iso_ms(moment: datetime) -> str:
    """A time with milliseconds, as in the ledger, so that comparing texts compares times. A time without a zone is local."""
    return _with_z(moment.astimezone(UTC).isoformat(timespec="milliseconds"))


def _with_z(text: str) -> str:
    return text.replace("+00:00", "Z")
