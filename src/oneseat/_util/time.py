"""Moments as text: ISO 8601 in UTC with a trailing ``Z``. Standard library only."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(epoch: float) -> str:
    """A moment in seconds since 1970, as exact as it is given. Raises ``OverflowError``, ``ValueError`` or ``OSError``."""
    return _with_z(datetime.fromtimestamp(epoch, UTC).isoformat())


def iso_reported(epoch: float | None) -> str | None:
    """A moment that a program reports, in seconds since 1970; ``None`` where it reports none, or one that no calendar has."""
    if epoch is None:
        return None
    try:
        return iso(epoch)
    except (OverflowError, ValueError, OSError):
        return None


def iso_ms(moment: datetime) -> str:
    """A moment in milliseconds, as the ledger has them, so that comparing texts compares times. Without a zone it is local."""
    return _with_z(moment.astimezone(UTC).isoformat(timespec="milliseconds"))


def _with_z(text: str) -> str:
    return text.replace("+00:00", "Z")
