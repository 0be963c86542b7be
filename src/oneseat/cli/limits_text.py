"""A report of limits as a person reads it, as one line for a status bar, and as the fields of its JSON. Imports next to nothing."""

from __future__ import annotations

from typing import NamedTuple

from oneseat.app.limits import TRUSTED_S, USUAL, percents

from .moments import clock, duration, tight, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from oneseat.app.limits import Budget, Forecast, Report, Seat, Window


class Estimate(NamedTuple):
    """Tokens counted here in the five hours that go on; moments are seconds since 1970. No share: others use the plan too."""

    tokens: int
    begins_at: float
    ends_at: float


_LABELS = {"five_hour": "five hours", "seven_day": "week"}
_SHORT = {"five_hour": "5h", "seven_day": "week"}
_SOURCES = {
    "rate_limit_event": "a run",
    "get_usage": "the CLI",
    "account/rateLimits/updated": "a run",
    "account/rateLimits/read": "the CLI",
}
#: How a seat is called in one short line; the first one needs no name.
_SHORT_SEATS = {"codex-cli": "codex"}
_WIDEST_NAME = 24
#: So full, a window's reset is worth its place in one short line.
_SOON_PERCENT = 75
#: Older than that, a share is marked as the least it can be.
_OLD_S = 900.0


def limits_text(report: Report, estimate: Estimate | None = None) -> str:
    """The whole report, with an estimate where there is one."""
    lines: list[str] = []
    for seat in report.seats:
        lines += [
            f"{seat.provider}, {'simulator' if seat.simulated else 'plan'}",
            "",
            *_table(report, seat),
            "",
        ]
        lines += [*_forecasts(report, seat), ""]
    if estimate is not None:
        lines += [*_estimated(estimate, report.now), ""]
    return "\n".join([*lines, _pause(report)])


def statusline(report: Report) -> str:
    """The windows in one short line: ``5h 42% 2h10 | week 12%``. A ``?`` is unknown, a ``>`` at least, by an old report."""
    parts = []
    for seat in report.seats:
        shown = [
            _short(window, report.now) for window in seat.windows if window.name in USUAL or window.status
        ]
        if seat.provider in _SHORT_SEATS:
            shown[0] = f"{_SHORT_SEATS[seat.provider]} {shown[0]}"
        parts += shown
        if seat.overage is not None and seat.overage[0]:
            parts.append("extra usage")
    return " | ".join(parts)


def fields_of(report: Report, estimate: Estimate | None = None) -> dict[str, Any]:
    """The object of ``--json``."""
    return {
        "read_at": utc(report.now),
        "pause_at_percent": report.pause_at,
        "seats": [
            {
                "provider": seat.provider,
                "wallet": "simulator" if seat.simulated else "plan",
                "windows": [_window_fields(window, report.now) for window in seat.windows],
                "extra_usage": None
                if seat.overage is None
                else {"in_use": seat.overage[0], "read_at": utc(seat.overage[1])},
            }
            for seat in report.seats
        ],
        "budgets": [
            {
                "scope": budget.bound.scope,
                "name": budget.bound.name,
                "period": budget.bound.period,
                "limit_usd": budget.bound.usd,
                "used_usd": budget.used_usd,
                "held_usd": budget.held_usd,
                "used": round(budget.used_usd / budget.bound.usd, 6),
                "resets_at": utc(budget.resets_at),
                "source": "ledger",
            }
            for budget in report.budgets
        ],
        "estimate": None
        if estimate is None
        else {
            "window": "five_hour",
            "tokens": estimate.tokens,
            "begins_at": utc(estimate.begins_at),
            "ends_at": utc(estimate.ends_at),
            "source": "transcripts",
        },
    }


def _window_fields(window: Window, now: float) -> dict[str, Any]:
    full_at, resets_at = window.forecast.full_at, window.resets_at
    return {
        "window": window.name,
        "used": window.used,
        "used_read_at": utc(window.used_at),
        "status": window.status,
        "read_at": utc(window.read_at),
        "age_s": None if window.read_at is None else round(now - window.read_at),
        "source": window.source,
        "resets_at": utc(resets_at),
        "resets_in_s": None if resets_at is None else round(resets_at - now),
        "used_before_reset": window.before,
        "forecast": {
            "why": window.forecast.why,
            "full_at": utc(full_at),
            "before_reset_s": None if full_at is None or resets_at is None else round(resets_at - full_at),
            "readings": window.forecast.readings,
            "span_s": round(window.forecast.span_s),
        },
    }


def _table(report: Report, seat: Seat) -> Iterator[str]:
    rows = [("window", "used", "status", "resets", "said")]
    rows += [_row(window, report.now) for window in seat.windows]
    if seat.overage is not None:
        state = "in use, paid" if seat.overage[0] else "not in use"
        rows.append(("extra usage", "", state, "", _ago(seat.overage[1], report.now)))
    if seat is report.seats[0]:
        # They count the runs of every seat.
        rows += [_budget(budget, report.now) for budget in report.budgets]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[4]]).rstrip()


def _row(window: Window, now: float) -> tuple[str, str, str, str, str]:
    name = label_of(window.name)
    if window.status is None:
        if window.resets_at is None:
            return name, "unknown", "", "", ""
        before = "" if window.before is None else f"before, {_share(window.before)}"
        return name, "unknown", "reset", clock(window.resets_at, now), before
    used = "unknown" if window.used is None else _share(window.used)
    said = _ago(window.read_at or now, now)
    source = _SOURCES.get(window.source or "", window.source or "")
    return name, used, window.status, _until(window.resets_at, now), f"{said}, {source}"


def _budget(budget: Budget, now: float) -> tuple[str, str, str, str, str]:
    bound = budget.bound
    when = "today" if bound.period == "day" else "this month"
    of = "" if bound.name is None else f", {bound.scope} {_cut(bound.name)}"
    held = f", ${budget.held_usd:.2f} of it held" if budget.held_usd else ""
    return (
        f"{when}{of}",
        _share(budget.used_usd / bound.usd),
        f"${budget.used_usd:.2f} of ${bound.usd:.2f}{held}",
        _until(budget.resets_at, now),
        "the ledger",
    )


def _forecasts(report: Report, seat: Seat) -> Iterator[str]:
    width = max(len(label_of(window.name)) for window in seat.windows)
    for window in seat.windows:
        yield f"{label_of(window.name).ljust(width)}  {_expected(window, report.now)}"


def _expected(window: Window, now: float) -> str:
    found = window.forecast
    if found.why == "pace" and found.full_at is not None:
        return f"at the pace of the last {_basis(found)} {_full_at(found.full_at, window.resets_at, now)}"
    hours = round(found.within_s / 3600)
    within = f"in the last {f'{hours} h' if hours < 48 else f'{hours // 24} d'}"
    return {
        "full": f"full{'' if window.resets_at is None else f' until {clock(window.resets_at, now)}'}",
        "unknown": "no forecast: its share is not known",
        "one_reading": f"no forecast: {'one reading' if found.readings else 'no reading'} {within}",
        "too_close": f"no forecast: {found.readings} readings within {duration(found.span_s)}",
        "no_growth": f"no forecast: it did not grow in the last {_basis(found)}",
    }[found.why]


def _basis(found: Forecast) -> str:
    return f"{duration(found.span_s)} ({found.readings} readings)"


def _full_at(full_at: float, resets_at: float | None, now: float) -> str:
    if resets_at is not None and full_at >= resets_at:
        return "not full before its reset"
    before = "" if resets_at is None else f", {duration(resets_at - full_at)} before its reset"
    return f"full by now{before}" if full_at <= now else f"full at {clock(full_at, now)}{before}"


def _estimated(estimate: Estimate, now: float) -> Iterator[str]:
    yield (
        f"five hours: at least {estimate.tokens:,} tokens since {clock(estimate.begins_at, now)}, counted in transcripts here"
    )
    yield "(an estimate: what share of the window that is, nobody said)"


def _pause(report: Report) -> str:
    if report.pause_at is None:
        return "Runs do not pause; `limits.pause_at_percent` in your oneseat.toml says when they would."
    return (
        f"Runs that nobody watches pause at {report.pause_at} % (`limits.pause_at_percent`), "
        f"on a report of the last {duration(TRUSTED_S)}."
    )


def label_of(name: str) -> str:
    """The name of a window as a person reads it; an unusual one has its own."""
    return _LABELS.get(name) or _cut(name)


def _cut(name: str) -> str:
    return name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 1]}…"


def _short(window: Window, now: float) -> str:
    name = _SHORT.get(window.name) or _cut(window.name.removeprefix("seven_day_"))
    if window.share is None:
        return f"{name} ?"
    full = percents(window.share)
    old = window.used_at is not None and now - window.used_at > _OLD_S
    share = "full" if full >= 100 else f"{'>' if old else ''}{int(full)}%"
    soon = window.name == "five_hour" or full >= _SOON_PERCENT
    resets = f" {tight(window.resets_at - now)}" if soon and window.resets_at is not None else ""
    return f"{name} {share}{resets}"


def _share(share: float) -> str:
    # Cut, not rounded: 99.6 is not yet full.
    return f"{int(percents(share))} %"


def _ago(moment: float, now: float) -> str:
    return "now" if now - moment < 1 else f"{duration(now - moment)} ago"


def _until(moment: float | None, now: float) -> str:
    return "unknown" if moment is None else f"{clock(moment, now)}, in {duration(moment - now)}"
