"""What is known of a plan's usage windows, how long they last, and when they pause runs. Pure arithmetic on what was reported.

Moments are seconds since 1970, shares go from 0 to 1, and what nobody said is ``None``. Nothing said of a window outlives
its reset: it begins anew then, and how full it is nobody knows before it is reported again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oneseat.contract.limits import SeenLimit

#: The windows that every plan has; shown also while nothing is known of them. Any other one is shown when it is reported.
USUAL = ("five_hour", "seven_day")
#: Stands for a report that names no window, such as that of too many requests at once.
NAMELESS = "unknown"
#: How old a report may be that pauses runs. Then one run goes through, and what it is told decides: a vendor can empty a
#: window early, and a report that is wrong must not pause runs for a week.
TRUSTED_S = 6 * 3600.0
#: So many points below the share at which runs pause, they are warned.
NEAR_POINTS = 10
#: The reset time of one window differs by up to two seconds from report to report.
_SAME_WINDOW_S = 60.0
_TWO_HOURS_S, _TWO_DAYS_S = 2 * 3600.0, 2 * 86_400.0
#: Shares come in whole points: over a shorter time the pace would be that of the rounding.
_SHORTEST_SPAN_S = 300.0
_SCOPES = ("five_hour_", "seven_day_")


class Forecast(NamedTuple):
    """When a window is full at its pace, ``full_at``, and what that rests on.

    Without one, ``why`` says why there is none. The first and the last of the ``readings`` are ``span_s`` seconds apart.
    """

    why: Literal["pace", "full", "unknown", "one_reading", "too_close", "no_growth"]
    full_at: float | None = None
    readings: int = 0
    span_s: float = 0.0


class Window(NamedTuple):
    """The state of one window now.

    ``status`` was said at ``read_at`` by ``source``, ``used`` at ``used_at``: as it only grows, it is at least that much by
    now. ``before`` is what was last known of a window that has been reset since ``resets_at``.
    """

    name: str
    status: str | None = None
    used: float | None = None
    used_at: float | None = None
    resets_at: float | None = None
    read_at: float | None = None
    source: str | None = None
    before: float | None = None
    forecast: Forecast = Forecast("unknown")

    @property
    def share(self) -> float | None:
        """How full it is, where a source said it by a number or by a no."""
        return 1.0 if self.status == "rejected" else self.used


def windows(seen: Iterable[SeenLimit], now: float) -> list[Window]:
    """Every window that is usual or was reported: the usual ones first, then the others by their names."""
    by_name: dict[str, list[SeenLimit]] = {name: [] for name in USUAL}
    for one in sorted(seen, key=lambda one: one.last_at):
        if one.window != NAMELESS:
            by_name.setdefault(one.window, []).append(one)
    others = sorted(by_name.keys() - set(USUAL))
    return [_window(name, by_name[name], now) for name in (*USUAL, *others)]


def in_overage(seen: Iterable[SeenLimit], now: float) -> tuple[bool, float] | None:
    """Whether extra, paid usage is being spent, and when that was said; ``None`` where nobody said it in the window's time."""
    said = [one for one in seen if one.overage is not None and _counts(one, now)]
    if not said:
        return None
    newest = max(said, key=lambda one: one.last_at)
    return bool(newest.overage), newest.last_at


def pausing(found: Iterable[Window], percent: float, model: str, now: float) -> Window | None:
    """The window that pauses a run of ``model``, of several the one that is reset last."""
    return _latest(one for one in found if _bears(one, percent, None, model, now))


def warning(found: Iterable[Window], percent: float, model: str, now: float) -> Window | None:
    """The window that is about to pause runs of ``model``, of several the one that is reset last."""
    return _latest(one for one in found if _bears(one, percent - NEAR_POINTS, percent, model, now))


def concerns(window: str, model: str) -> bool:
    """Whether runs of a model use this window: the usual ones all runs, that of a model those with its name in theirs.

    Of a window with any other name it is not known what counts there, so it pauses nothing.
    """
    if window in USUAL:
        return True
    scope = next((window.removeprefix(begin) for begin in _SCOPES if window.startswith(begin)), "")
    return bool(scope) and scope in model.lower()


def percents(share: float) -> float:
    """A share in percent, without the dust of binary fractions: 0.29 is 29."""
    return round(share * 100, 6)


def _window(name: str, rows: Sequence[SeenLimit], now: float) -> Window:
    dated = [row for row in rows if row.resets_at is not None]
    if dated and (dated[-1].resets_at or 0.0) <= now:
        past = [row.used for row in dated if row.used is not None and _same(row, dated[-1])]
        rows = [row for row in rows if row.last_at > dated[-1].last_at and _counts(row, now)]
        if not rows:
            return Window(name, resets_at=dated[-1].resets_at, before=past[-1] if past else None)
        dated = []
    live = [
        row
        for row in rows
        if _counts(row, now) and (_same(row, dated[-1]) if dated and row.resets_at is not None else True)
    ]
    if not live:
        return Window(name)
    newest = live[-1]
    shares = [row for row in live if row.used is not None]
    # A window that lets requests through again is not full, whatever was said before.
    if shares and newest.status == "allowed" and shares[-1] is not newest and (shares[-1].used or 0.0) >= 1:
        shares = []
    return Window(
        name,
        status=newest.status,
        used=shares[-1].used if shares else None,
        used_at=shares[-1].last_at if shares else None,
        resets_at=dated[-1].resets_at if dated else None,
        read_at=newest.last_at,
        source=newest.source,
        forecast=Forecast("full")
        if newest.status == "rejected"
        else forecast(shares, _TWO_HOURS_S if name.startswith("five_hour") else _TWO_DAYS_S, now),
    )


def forecast(shares: Sequence[SeenLimit], within_s: float, now: float) -> Forecast:
    """When a window is full at the pace of the last ``within_s`` seconds; ``shares`` are those of its present time, in order."""
    if not shares:
        return Forecast("unknown")
    if (shares[-1].used or 0.0) >= 1:
        return Forecast("full")
    points = _rising(shares, now - within_s)
    if len(points) < 2:
        return Forecast("one_reading", readings=len(points))
    (begin, least), (end, most) = points[0], points[-1]
    span, full_at = end - begin, None
    why: Literal["too_close", "no_growth", "pace"] = "pace"
    if span < _SHORTEST_SPAN_S:
        why = "too_close"
    elif most <= least:
        why = "no_growth"
    else:
        full_at = end + (1.0 - most) * span / (most - least)
    return Forecast(why, full_at, len(points), span)


def _rising(shares: Sequence[SeenLimit], since: float) -> list[tuple[float, float]]:
    """Moments with their shares since the window was last emptied, each once."""
    points: dict[float, float] = {}
    for row in shares:
        if row.last_at < since:
            continue
        used = row.used or 0.0
        if points and used < max(points.values()):
            points.clear()
        for moment in (max(row.first_at, since), row.last_at):
            points[moment] = used
    return sorted(points.items())


def _counts(row: SeenLimit, now: float) -> bool:
    return row.resets_at > now if row.resets_at is not None else now - row.last_at <= TRUSTED_S


def _same(row: SeenLimit, other: SeenLimit) -> bool:
    return abs((row.resets_at or 0.0) - (other.resets_at or 0.0)) < _SAME_WINDOW_S


def _bears(window: Window, low: float, below: float | None, model: str, now: float) -> bool:
    said_at = window.read_at if window.status == "rejected" else window.used_at
    if window.share is None or said_at is None or now - said_at > TRUSTED_S:
        return False
    full = percents(window.share)
    return full >= low and (below is None or full < below) and concerns(window.name, model)


def _latest(found: Iterable[Window]) -> Window | None:
    return max(found, key=lambda one: one.resets_at or 0.0, default=None)
