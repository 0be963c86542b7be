"""Whether a run may begin although a usage window is nearly full: automation leaves the rest to the person."""

from __future__ import annotations

from oneseat._util.time import iso
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import LimitNear
from oneseat.contract.limits import SeenLimit

from .limits import Window, pausing, percents, warning, windows

_NAMES = {"five_hour": "five-hour window", "seven_day": "weekly window"}


def decide(
    seen: list[SeenLimit], percent: int, model: str, now: float, *, over_limit: bool
) -> ErrorInfo | LimitNear | None:
    """The refusal of a run of ``model``, or a warning that the next ones come near to it.

    ``seen`` is what was reported of the windows, ``now`` in seconds since 1970. A run that may go ``over_limit`` is warned
    only.
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


def _paused(window: Window, percent: int, now: float) -> ErrorInfo:
    said_at = window.read_at if window.status == "rejected" else window.used_at
    minutes = max(0, round((now - (said_at or now)) / 60))
    wait = None if window.resets_at is None else max(0.0, round(window.resets_at - now, 1))
    return ErrorInfo(
        code="limit.paused",
        message=f"Runs are paused, the {_NAMES.get(window.name, f'window `{window.name}`')} is used to "
        f"`{int(percents(window.share or 0.0))} %`\n"
        f"  `limits.pause_at_percent` is {percent}; this was reported {minutes} min ago",
        hint="See all windows: `oneseat limits`; to run it all the same: `oneseat run --over-limit ...`",
        whose_turn="wait",
        retry_after_s=wait,
    )
