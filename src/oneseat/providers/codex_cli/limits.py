"""The plan's usage windows as the CLI reports them, named by their length."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from oneseat._util.time import iso_reported
from oneseat.contract.providers import WINDOWS
from oneseat.contract.receipt import LimitReading, share_or_none

from . import wire

_BY_MINUTES = {window.minutes: window.name for window in WINDOWS.values() if window.minutes}
#: The ids of the plan's general limit; any other limit is named.
_OWN = frozenset({None, "", "codex"})
_FULL = 100


def readings(
    limits: wire.RateLimits, source: str, read_at: str, redact: Callable[[str], str] = str
) -> tuple[LimitReading, ...]:
    """One reading for each reported window. ``read_at`` is ISO 8601 UTC; ``redact`` cleans the vendor's names."""
    return tuple(
        LimitReading(
            window=redact(_name(limits.limit_id, window)),
            status="rejected" if is_full(window) else "allowed",
            used=_share(window.used_percent),
            resets_at=iso_reported(window.resets_at),
            source=source,
            read_at=read_at,
        )
        for window in windows(limits)
    )


def all_readings(answer: wire.LimitAnswer, source: str, read_at: str) -> tuple[LimitReading, ...]:
    """The readings of every limit in the answer to `account/rateLimits/read`."""
    by_id = answer.rate_limits_by_limit_id or {}
    limits = list(by_id.values()) or [answer.rate_limits]
    return tuple(reading for limit in limits for reading in readings(limit, source, read_at))


def windows(limits: wire.RateLimits) -> Iterator[wire.Window]:
    """The windows that the CLI reported."""
    yield from (window for window in (limits.primary, limits.secondary) if window is not None)


def is_full(window: wire.Window) -> bool:
    """Whether a window is full."""
    return window.used_percent is not None and window.used_percent >= _FULL


def on_credits(limits: wire.RateLimits, account: wire.Credits | None) -> bool | None:
    """Whether further requests use paid credits: a window is full and credits exist. ``None`` when no window is reported."""
    named = list(windows(limits))
    if not named:
        return None
    paid = account is not None and bool(account.has_credits or account.unlimited)
    return paid and any(map(is_full, named))


def window_name(window: wire.Window) -> str:
    """The name of a window."""
    minutes = window.window_duration_mins
    return _BY_MINUTES.get(minutes or 0) or (f"{minutes}_minutes" if minutes else "unknown")


def _name(limit_id: str | None, window: wire.Window) -> str:
    name = window_name(window)
    return name if limit_id in _OWN else f"{name}_{limit_id}"


def _share(percent: float | None) -> float | None:
    return None if percent is None else share_or_none(percent / _FULL)
