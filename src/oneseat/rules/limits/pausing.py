"""Decides whether a run may start while a usage window is nearly full: unattended runs leave the rest to the owner."""

from __future__ import annotations

from oneseat._util.time import iso
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import LimitNear
from oneseat.contract.history import SeenLimit
from oneseat.contract.providers import WINDOWS

from .windows import Window, pausing, percents, warning, windows


def decide(
    seen: list[SeenLimit], percent: int, model: str, now: float, *, over_limit: bool
) -> ErrorInfo | LimitNear | None:
    """The refusal of a run of ``model``, a warning that later runs may be refused, or ``None``.

    ``seen`` are the reports about windows, ``now`` is in seconds since 1970. With ``over_limit`` a run is only warned.
    """
    found = windows(seen, now)
    full = pausing(found, percent, model, now)
    if full is not None and not over_limit:
        return _paused(full, percent, now)
    near = full or warning(found, percent, model, now)
    return None if near is None else _near(near, percent)


def _near(window: Window, percent: int) -> LimitNear:
    resets_at = None if window.resets_at is None else iso(round(window.resets_at))
    return LimitNear(
        window=window.name, used=window.share or 0.0, pause_at_percent=percent, resets_at=resets_at
    )


def _called(name: str) -> str:
    return f"{WINDOWS[name].label} window" if name in WINDOWS else f"window `{name}`"


def _paused(window: Window, percent: int, now: float) -> ErrorInfo:
    said_at = window.read_at if window.status == "rejected" else window.used_at
    minutes = max(0, round((now - (said_at or now)) / 60))
    wait = None if window.resets_at is None else max(0.0, round(window.resets_at - now, 1))
    return ErrorInfo(
        code="limit.paused",
        message=f"Unattended runs are paused, the {_called(window.name)} is at "
        f"`{int(percents(window.share or 0.0))} %`\n"
        f"  `limits.pause_at_percent` is {percent}; reported {minutes} min ago",
        hint="See all windows: `oneseat limits`; to run anyway: `oneseat run --over-limit ...`",
        whose_turn="wait",
        retry_after_s=wait,
    )
