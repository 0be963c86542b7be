"""The state of a plan's usage windows, forecasts of when they are full, and when they pause runs. Pure arithmetic on reports.

Times are seconds since 1970, shares are from 0 to 1, unknown is ``None``. Reports about a window are discarded at its reset:
how full it is then is unknown until the next report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from oneseat.contract.providers import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oneseat.contract.history import SeenLimit

#: The windows that every plan has, which are always shown. Other windows are shown once they are reported.
USUAL = tuple(window.name for window in WINDOWS.values() if window.usual)
#: Stands for a report that names no window, such as that of too many requests at once.
NAMELESS = "unknown"
#: How old a report that pauses runs may be. After that one run is let through and its report decides: a vendor can reset a
#: window early, and a wrong report must not pause runs for a week.
TRUSTED_S = 6 * 3600.0
#: Runs are warned this many points below the share at which they pause.
NEAR_POINTS = 10
#: Reported reset times of one window differ by up to two seconds.
_SAME_WINDOW_S = 60.0
_TWO_HOURS_S, _TWO_DAYS_S = 2 * 3600.0, 2 * 86_400.0
#: Shares are reported in whole points: over a shorter time, the pace would be rounding noise.
_SHORTEST_SPAN_S = 300.0
_SCOPES = ("five_hour_", "seven_day_")


class Forecast(NamedTuple):
    """When a window will be full at its current pace (``full_at``), and the data behind it.

    Without a forecast, ``why`` gives the reason. ``readings`` were taken in the last ``within_s`` seconds, over ``span_s`` seconds.
    """

    why: Literal["pace", "full", "unknown", "one_reading", "too_close", "no_growth"]
    full_at: float | None = None
    readings: int = 0
    span_s: float = 0.0


class Window(NamedTuple):
    """The state of one window now.

    ``status`` was reported at ``read_at`` by ``source``, ``used`` at ``used_at``; usage only grows, so it is at least that much
    now. ``before`` is the last known share of a window that has been reset since.
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
        """How full it is, from a reported share or a rejection; ``None`` when unknown."""
        return 1.0 if self.status == "rejected" else self.used


def windows(seen: Iterable[SeenLimit], now: float) -> list[Window]:
    """Every usual or reported window: the usual ones first, then the others by name."""
    by_name: dict[str, list[SeenLimit]] = {name: [] for name in USUAL}
    for one in sorted(seen, key=lambda one: one.last_at):
        if one.window != NAMELESS:
            by_name.setdefault(one.window, []).append(one)
    others = sorted(by_name.keys() - set(USUAL))
    return [_window(name, by_name[name], now) for name in (*USUAL, *others)]


def in_overage(seen: Iterable[SeenLimit], now: float) -> tuple[bool, float] | None:
    """Whether extra paid usage is being spent, and when that was reported; ``None`` without a current report."""
    said = [one for one in seen if one.overage is not None and _counts(one, now)]
    if not said:
        return None
    newest = max(said, key=lambda one: one.last_at)
    return bool(newest.overage), newest.last_at


def pausing(found: Iterable[Window], percent: float, model: str, now: float) -> Window | None:
    """The window that pauses a run of ``model``; of several, the one that resets last."""
    return _latest(one for one in found if _bears(one, percent, None, model, now))


def warning(found: Iterable[Window], percent: float, model: str, now: float) -> Window | None:
    """The window that will soon pause runs of ``model``; of several, the one that resets last."""
    return _latest(one for one in found if _bears(one, percent - NEAR_POINTS, percent, model, now))


def concerns(window: str, model: str) -> bool:
    """Whether runs of a model use this window: usual windows count all runs, a model's window those whose model contains its name.

    What a window with any other name counts is unknown, so it pauses nothing.
    """
    if window in USUAL:
        return True
    scope = next((window.removeprefix(begin) for begin in _SCOPES if window.startswith(begin)), "")
    return bool(scope) and scope in model.lower()


def percents(share: float) -> float:
    """A share in percent, without floating-point noise: 0.29 is 29."""
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
    # A window that accepts requests again is not full, despite earlier reports.
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
    """When a window will be full at the pace of the last ``within_s`` seconds; ``shares`` are since its last reset, in order."""
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
    """Times and shares since the window's last reset, without duplicates."""
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
