"""Limits as a person reads them, and as one line for a status bar."""

from __future__ import annotations

from collections.abc import Iterator

from oneseat.cli.screen import styled
from oneseat.contract.providers import ROWS, WINDOWS
from oneseat.contract.reports.limits import (
    BudgetReport,
    LimitForecast,
    LimitsReport,
    SeatLimits,
    TokenEstimate,
    WindowReport,
)

from .footnotes import not_read
from .numbers import percent, usd, whole_percent
from .receipt import policy_expiry
from .table import clip, table
from .text import fitting
from .timefmt import clock, duration, epoch, tight

_SOURCES = {
    "rate_limit_event": "a run",
    "get_usage": "the CLI",
    "account/rateLimits/updated": "a run",
    "account/rateLimits/read": "the CLI",
}
#: From here on, the status line says when a window is reset.
_SOON_PERCENT = 75
#: From here on, little is left.
_FULL_PERCENT = 90
#: An older share is marked as a lower bound.
_OLD_S = 900


def limits_text(report: LimitsReport) -> str:
    """The whole report."""
    lines: list[str] = []
    for seat in report.seats:
        lines += [f"{seat.provider}, {seat.wallet}", "", *_windows(report, seat), ""]
        lines += [*_forecasts(report, seat), ""]
    if report.estimate is not None:
        lines += [*_estimate(report.estimate, epoch(report.read_at)), ""]
    if report.policy_expires is not None:
        lines += [f"{policy_expiry(report.policy_expires)}: `oneseat policy update`".capitalize(), ""]
    return "\n".join([*lines, *fitting(_pause(report)), *not_read(report.not_read)])


def statusline(report: LimitsReport) -> str:
    """The windows in one line: ``5h 42% 2h10 | week 12%``. ``?`` is unknown, ``>`` marks a lower bound from an old report."""
    parts = []
    for seat in report.seats:
        shown = [_short(each, report) for each in seat.windows if _usual(each.window) or each.status]
        if name := ROWS[seat.provider].short:
            shown[0] = f"{name} {shown[0]}"
        parts += shown
        if seat.extra_usage is not None and seat.extra_usage.in_use:
            parts.append("extra usage")
    if report.policy_expires is not None:
        parts.append(f"rules end {report.policy_expires}")
    return " | ".join(parts)


def _windows(report: LimitsReport, seat: SeatLimits) -> list[str]:
    now = epoch(report.read_at)
    rows: list[tuple[str, ...]] = [("window", "used", "status", "resets", "reported")]
    rows += [_window(each, now) for each in seat.windows]
    if seat.extra_usage is not None:
        state = "in use, paid" if seat.extra_usage.in_use else "not in use"
        rows.append(("extra usage", "", state, "", _ago(now - epoch(seat.extra_usage.read_at))))
    if seat is report.seats[0]:
        # Budgets count the runs of all seats: one table is enough.
        rows += [_budget(each, now) for each in report.budgets]
    return table(rows, head=True)


def _window(window: WindowReport, now: float) -> tuple[str, ...]:
    name = _label(window.window)
    if window.status is None:
        if window.resets_at is None:
            return name, "unknown", "", "", ""
        before = "" if window.used_before_reset is None else f"{percent(window.used_before_reset)} before"
        return name, "unknown", "reset", clock(epoch(window.resets_at), now), before
    used = "unknown" if window.used is None else _share(window.used)
    source = _SOURCES.get(window.source or "", window.source or "")
    return name, used, window.status, _until(window.resets_at, now), f"{_ago(window.age_s or 0)}, {source}"


def _budget(budget: BudgetReport, now: float) -> tuple[str, ...]:
    when = "today" if budget.period == "day" else "this month"
    of = "" if budget.name is None else f", {budget.scope} {budget.name}"
    reserved = f", {usd(budget.held_usd)} of it reserved" if budget.held_usd else ""
    return (
        f"{when}{of}",
        _share(budget.used),
        f"{usd(budget.used_usd)} of {usd(budget.limit_usd)}{reserved}",
        _until(budget.resets_at, now),
        "by the ledger",
    )


def _share(share: float) -> str:
    full = whole_percent(share)
    text = percent(share)
    return (
        styled(text, "bad")
        if full >= _FULL_PERCENT
        else styled(text, "doubtful")
        if full >= _SOON_PERCENT
        else text
    )


def _forecasts(report: LimitsReport, seat: SeatLimits) -> list[str]:
    return table([(_label(each.window), _forecast(each, epoch(report.read_at))) for each in seat.windows])


def _forecast(window: WindowReport, now: float) -> str:
    found = window.forecast
    if found.why == "pace" and found.full_at is not None:
        return f"{_full_at(found, found.full_at, now)}, at the pace of the last {_basis(found)}"
    until = "" if window.resets_at is None else f" until {clock(epoch(window.resets_at), now)}"
    return {
        "full": f"full{until}",
        "unknown": "no forecast: usage unknown",
        "one_reading": "no forecast: too few recent readings",
        "too_close": f"no forecast: {found.readings} readings within {duration(found.span_s)}",
        "no_growth": f"no forecast: unchanged for {_basis(found)}",
    }[found.why]


def _basis(found: LimitForecast) -> str:
    return f"{duration(found.span_s)} ({found.readings} readings)"


def _full_at(found: LimitForecast, full_at: str, now: float) -> str:
    if found.before_reset_s is not None and found.before_reset_s <= 0:
        return "not full before its reset"
    before = "" if found.before_reset_s is None else f", {duration(found.before_reset_s)} before its reset"
    moment = epoch(full_at)
    return f"full by now{before}" if moment <= now else f"full at {clock(moment, now)}{before}"


def _estimate(found: TokenEstimate, now: float) -> Iterator[str]:
    since = "" if found.begins_at is None else f" since {clock(epoch(found.begins_at), now)}"
    yield f"five hours: at least {found.tokens:,} tokens{since}, counted in local transcripts"
    yield "(an estimate: nobody reported what share of the window that is)"


def _pause(report: LimitsReport) -> str:
    if report.pause_at_percent is None:
        return (
            "Unattended runs do not pause; set `limits.pause_at_percent` in your oneseat.toml to change that."
        )
    return f"Unattended runs pause at {report.pause_at_percent} % (`limits.pause_at_percent`)."


def _label(name: str) -> str:
    return (WINDOWS[name].title if name in WINDOWS else "") or name


def _usual(name: str) -> bool:
    return name in WINDOWS and WINDOWS[name].usual


def _short(window: WindowReport, report: LimitsReport) -> str:
    known = WINDOWS[window.window].short if window.window in WINDOWS else ""
    name = known or clip(window.window.removeprefix("seven_day_"))
    if window.share is None:
        return f"{name} ?"
    full = whole_percent(window.share)
    read_at = window.used_read_at
    old = read_at is not None and epoch(report.read_at) - epoch(read_at) > _OLD_S
    share = "full" if full >= 100 else f"{'>' if old else ''}{full}%"
    soon = window.window == "five_hour" or full >= _SOON_PERCENT
    resets = f" {tight(window.resets_in_s)}" if soon and window.resets_in_s is not None else ""
    return f"{name} {share}{resets}"


def _ago(seconds: float) -> str:
    # Times are whole seconds: one may lie between two that are the same moment.
    return "now" if seconds < 2 else f"{duration(seconds)} ago"


def _until(moment: str | None, now: float) -> str:
    return "unknown" if moment is None else f"{clock(epoch(moment), now)}, in {duration(epoch(moment) - now)}"
