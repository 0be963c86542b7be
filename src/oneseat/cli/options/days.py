"""Days and times as arguments."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import click

_DAYS = re.compile(r"(\d{1,5})([dw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([mhdw])")
_EPOCH = date(1970, 1, 1)


class Day(click.ParamType[date]):
    """A day, or how many days or weeks ago: ``2026-11-20``, ``7d``, ``4w``."""

    name = "day"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day, or an error that says how to write one."""
        if isinstance(value, date):
            return value
        ago = _DAYS.fullmatch(value)
        try:
            if ago is not None:
                return today() - timedelta(days=int(ago[1]) * (7 if ago[2] == "w" else 1))
            return date.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(f"not a day: `{value}`; write 2026-11-20, 7d or 4w", param, ctx)


class Moment(click.ParamType[datetime]):
    """A date, a date with a time, or how long ago: ``2026-11-20``, ``2026-11-20T14:00``, ``3h``, ``2d``."""

    name = "when"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment, or an error that says how to write one."""
        if isinstance(value, datetime):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago is not None:
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"not a moment: `{value}`; write 2026-11-20, 2026-11-20T14:00, 3h or 2d", param, ctx)


def today() -> date:
    """This day, where this machine is."""
    return datetime.now(UTC).astimezone().date()


def number_of(day: date) -> int:
    """A day counted from 1970-01-01."""
    return (day - _EPOCH).days
