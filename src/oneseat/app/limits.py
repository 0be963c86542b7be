"""How full the plan's windows and the day's budgets are, from the ledger. Loads next to nothing: prompts and status bars ask it."""

from __future__ import annotations

import os
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from oneseat.rules import limits as rules
from oneseat.rules.limits import TRUSTED_S, USUAL, Forecast, Window, percents
from oneseat.stores.limits import seen_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from oneseat.contract.budget import Bound, Since, Spent
    from oneseat.contract.limits import SeenLimit
    from oneseat.installation import Installation
    from oneseat.stores.ledger_reader import LedgerReader

__all__ = [
    "TRUSTED_S",
    "USUAL",
    "Budget",
    "Forecast",
    "Report",
    "Seat",
    "Window",
    "percents",
    "read_limits",
]

T = TypeVar("T")

#: The seats there can be. The first one is always shown, another one when something is known of it.
_SEATS = ("claude-cli", "codex-cli")


class Budget(NamedTuple):
    """A limit of the owner's own: what runs may cost in a day or a month, in US dollars at list price.

    ``used_usd`` holds ``held_usd``, which runs going on may still cost.
    """

    bound: Bound
    used_usd: float
    held_usd: float
    resets_at: float


class Seat(NamedTuple):
    """The windows of one login. ``overage`` is whether extra, paid usage is being spent, and when that was said."""

    provider: str
    simulated: bool
    windows: list[rules.Window]
    overage: tuple[bool, float] | None


class Report(NamedTuple):
    """What is known at ``now``, in seconds since 1970. ``pause_at`` is the share in percent from which on runs are paused."""

    now: float
    seats: list[Seat]
    budgets: list[Budget]
    pause_at: int | None


class _Own(NamedTuple):
    """What of the owner's settings matters here."""

    simulated: bool
    pause_at: int | None
    bounds: tuple[Bound, ...]


def read_limits(here: Installation, now: float | None = None, *, only_windows: bool = False) -> Report:
    """What the ledger knows. Starts nothing and sends nothing.

    ``only_windows`` leaves out what takes the settings to know. Raises ``UsageError`` for settings or a ledger that cannot be read.
    """
    now = time.time() if now is None else now
    own = _own(here, only_windows=only_windows)
    path = f"{here.data_dir}{os.sep}runs.db"
    seats: list[Seat] = []
    for provider in _SEATS:
        seen = _seen(path, provider, now, simulated=own.simulated)
        if seen or not seats:
            seats.append(Seat(provider, own.simulated, rules.windows(seen, now), rules.in_overage(seen, now)))
    return Report(now, seats, _budgets(path, own, now), own.pause_at)


def _seen(path: str, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
    try:
        return seen_in(path, provider, now, simulated=simulated)
    except sqlite3.Error:
        # Of an older schema, locked or damaged: the reader brings it up to date, waits, or says what is wrong.
        return _in_ledger(path, lambda ledger: ledger.limits(provider, now, simulated=simulated))


def _budgets(path: str, own: _Own, now: float) -> list[Budget]:
    if not own.bounds:
        return []
    from oneseat.contract.budget import Since  # noqa: PLC0415 - takes 40 ms to import, and most have no budget

    year, month, day = time.localtime(now)[:3]
    # Not 24 hours later: on the day the clocks change, that is another time.
    ends = {"day": _midnight(year, month, day + 1), "month": _midnight(year, month + 1, 1)}
    since = Since(day=_iso(_midnight(year, month, day)), month=_iso(_midnight(year, month, 1)))
    found = _in_ledger(path, partial(_spent, own, since))
    return [Budget(each.bound, each.usd, each.held_usd, ends[each.bound.period]) for each in found]


def _midnight(year: int, month: int, day: int) -> float:
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def _spent(own: _Own, since: Since, ledger: LedgerReader) -> tuple[Spent, ...]:
    return ledger.spent(own.bounds, "simulator" if own.simulated else "plan", since)


def _in_ledger(path: str, ask: Callable[[LedgerReader], T]) -> T:
    from pathlib import Path  # noqa: PLC0415 - takes 10 ms to import

    from oneseat.stores.ledger_reader import LedgerReader  # noqa: PLC0415 - takes 40 ms to import

    with LedgerReader(Path(path)) as ledger:
        return ask(ledger)


def _own(here: Installation, *, only_windows: bool) -> _Own:
    simulated = bool(here.env.get("ONESEAT_SIMULATOR_URL"))
    try:
        with open(f"{here.config_dir}{os.sep}oneseat.toml", "rb") as file:  # noqa: PTH123 - pathlib takes 10 ms to import
            text = file.read()
    except FileNotFoundError:
        return _Own(simulated, None, ())
    except OSError:
        text = b"simulator"  # whoever reads the settings says what is wrong with the file
    if only_windows and (simulated or b"simulator" not in text):
        return _Own(simulated, None, ())
    return _own_of_settings(here)


def _own_of_settings(here: Installation) -> _Own:
    from .prices import shared_bounds  # noqa: PLC0415 - takes 60 ms to import

    owner = here.outside_projects()
    return _Own(
        owner.settings.simulator_url is not None,
        owner.settings.limits_pause_at_percent,
        shared_bounds(owner),
    )
