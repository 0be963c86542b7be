"""The dependencies of every run from outside the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from oneseat.contract.ports import Clock, Dispatcher, Ledger, Outcomes, Provider, Providers, RunSlots
from oneseat.contract.routing import RouteTable
from oneseat.rules.runs.retry import RetryLimits
from oneseat.rules.runs.sessions import Nesting

from .budgets import BudgetContext
from .limits import WindowGuard
from .policy import PolicyContext
from .sessions import SessionDeps
from .watchdog import Timeouts


class RunDeps(NamedTuple):
    """The dependencies of every run.

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
    slots: RunSlots
    nesting: Nesting
    retry: RetryLimits
    chance: Callable[[], float]
    telemetry: Dispatcher
    admit: Callable[[str], Awaitable[None]]
    budgets: BudgetContext
    windows: WindowGuard
