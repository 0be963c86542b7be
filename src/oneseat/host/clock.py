"""The real clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from oneseat._util.time import iso_ms
from oneseat.contract.budgets import Since


class SystemClock:
    """Implements the ``Clock`` port. The monotonic clock stands still while the host sleeps (Linux and macOS)."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def utc_iso(self) -> str:
        """Now as ISO 8601 in UTC, milliseconds, trailing ``Z``."""
        return iso_ms(datetime.now(UTC))

    def since(self) -> Since:
        """When this day and this month began where this machine is, and when the day ends, in the form of ``utc_iso``."""
        day = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        # Made local only in `iso_ms`: on the day the clocks change, midnight has another offset than this moment.
        return Since(iso_ms(day), iso_ms(day.replace(day=1)), iso_ms(day + timedelta(days=1)))
