"""How full the plan's usage windows and the owner's budgets are, from the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from oneseat.contract.budget import Bound, Since
from oneseat.pricing import shared_bounds
from oneseat.quick_paths import config_dir, data_dir
from oneseat.rules import limits as rules
from oneseat.settings import load
from oneseat.stores.ledger.reader import LedgerReader

#: The first seat is always shown, the other one when it has reported something.
_SEATS = ("claude-cli", "codex-cli")


class Budget(NamedTuple):
    """One of the owner's budgets of a day or a month, in US dollars at list price.

    ``used_usd`` includes ``held_usd``, which is reserved for running runs.
    """

    bound: Bound
    used_usd: float
    held_usd: float
    resets_at: float


class Seat(NamedTuple):
    """The usage windows of one login. ``overage`` is whether extra, paid usage is being spent, and when that was reported."""

    provider: str
    simulated: bool
    windows: list[rules.Window]
    overage: tuple[bool, float] | None


class Report(NamedTuple):
    """The state at ``now``, in seconds since 1970. ``pause_at`` is the percentage from which unattended runs are paused."""

    now: float
    seats: list[Seat]
    budgets: list[Budget]
    pause_at: int | None


def read_limits(env: Mapping[str, str] | None = None, now: float | None = None) -> Report:
    """What the ledger knows. Starts no process and sends nothing.

    Raises ``UsageError`` for settings or a ledger that cannot be read.
    """
    env = os.environ if env is None else env
    now = time.time() if now is None else now
    config = Path(config_dir(env))
    # Ignore project settings: they apply only inside that directory.
    settings = load(env, Path(os.sep), config)
    simulated = settings.simulator_url is not None
    seats: list[Seat] = []
    with LedgerReader(Path(data_dir(env)) / "runs.db") as ledger:
        for provider in _SEATS:
            seen = ledger.limits(provider, now, simulated=simulated)
            if seen or not seats:
                seats.append(Seat(provider, simulated, rules.windows(seen, now), rules.in_overage(seen, now)))
        budgets = _budgets(ledger, shared_bounds(config, settings), now, simulated=simulated)
    return Report(now, seats, budgets, settings.limits_pause_at_percent)


def _budgets(ledger: LedgerReader, bounds: tuple[Bound, ...], now: float, *, simulated: bool) -> list[Budget]:
    year, month, day = time.localtime(now)[:3]
    # Not 24 hours later: on the day the clocks change, that is another time.
    ends = {"day": _midnight(year, month, day + 1), "month": _midnight(year, month + 1, 1)}
    since = Since(day=_iso(_midnight(year, month, day)), month=_iso(_midnight(year, month, 1)))
    found = ledger.spent(bounds, "simulator" if simulated else "plan", since)
    return [Budget(each.bound, each.usd, each.held_usd, ends[each.bound.period]) for each in found]


def _midnight(year: int, month: int, day: int) -> float:
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))
