"""What every run needs from outside of the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from oneseat.contract.ports import Audience, Clock, Lanes, Ledger, Outcomes, Provider, Providers
from oneseat.contract.routes import RouteTable
from oneseat.rules.retry import RetryLimits
from oneseat.rules.sessions import Nesting

from .budgets import BudgetContext
from .limits import WindowGuard
from .policy import PolicyContext
from .sessions import SessionDeps
from .watchdog import Timeouts


class RunDeps(NamedTuple):
    """What every run needs.

    ``provider`` is that of the owner's seat. ``chance`` returns random numbers from 0 up to 1; ``admit`` raises
    ``OneseatError`` for a provider whose program must not be used.
    """

    provider: Provider
    providers: Providers
    routes: RouteTable
    outcomes: Outcomes
    ledger: Ledger
    clock: Clock
    policy: PolicyContext
    timeouts: Timeouts
    sessions: SessionDeps
    slots: Lanes
    nesting: Nesting
    retry: RetryLimits
    chance: Callable[[], float]
    telemetry: Audience
    admit: Callable[[str], Awaitable[None]]
    budgets: BudgetContext
    windows: WindowGuard
