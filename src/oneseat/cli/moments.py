"""Times as a person reads them. Imports nothing that takes time: status bars use it."""

from __future__ import annotations

import time

_DAY_S = 86_400


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
    """A moment in this machine's zone: the time of day, with its day when that is another one."""
    there, here = time.localtime(moment), time.localtime(now)
    form = (
        "%H:%M" if there[:3] == here[:3] else "%a %H:%M" if abs(moment - now) < 6 * _DAY_S else "%d %b %H:%M"
    )
    return time.strftime(form, there)


def utc(moment: float | None) -> str | None:
    """A moment as ISO 8601 in UTC, to the second."""
    return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
