"""Times as a person reads them, in the time zone of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_DAY_S = 86_400


def local_time(iso: str, precision: str = "seconds") -> str:
    """An ISO 8601 time as ``2026-11-20 14:30:00``, or to ``minutes`` or ``milliseconds``.

    A text that is none, from a damaged row of the ledger, stays as it is.
    """
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return moment.astimezone().replace(tzinfo=None).isoformat(" ", precision)


def local_time_of(epoch_ms: float) -> str:
    """A time in milliseconds since 1970 as ``2026-11-20 14:30``."""
    return local_time(datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(), "minutes")


def epoch(iso: str) -> float:
    """An ISO 8601 time in seconds since 1970."""
    return datetime.fromisoformat(iso).timestamp()


def duration(seconds: float) -> str:
    """Seconds in words: ``4 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def tight(seconds: float) -> str:
    """Seconds in as few characters as possible: ``45m``, ``2h10``, ``3d4h``."""
    minutes = max(0, round(seconds / 60))
    if minutes < 60:
        return f"{minutes}m"
    hours = minutes // 60
    return f"{hours}h{minutes % 60:02}" if hours < 48 else f"{hours // 24}d{hours % 24}h"


def clock(moment: float, now: float) -> str:
    """A moment near ``now``, both in seconds since 1970: the time of day, with the day where that is another one."""
    there, here = time.localtime(moment), time.localtime(now)
    form = (
        "%H:%M" if there[:3] == here[:3] else "%a %H:%M" if abs(moment - now) < 6 * _DAY_S else "%d %b %H:%M"
    )
    return time.strftime(form, there)
