"""The real clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from oneseat.contract.budget import Since


class SystemClock:
    """Implements the ``Clock`` port. The monotonic clock stands still while the host sleeps (Linux and macOS)."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def utc_iso(self) -> str:
        """Now as ISO 8601 in UTC, milliseconds, trailing ``Z``."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def since(self) -> Since:
        """When this day and this month began where this machine is, in the form of ``utc_iso``."""
        day = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        # Made local only in `_iso`: on the day the clocks change, midnight has another offset than this moment.
        return Since(day=_iso(day), month=_iso(day.replace(day=1)))


def _iso(local: datetime) -> str:
    return local.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
