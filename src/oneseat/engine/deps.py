"""The dependencies of every run from outside the engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.ports import Clock, Dispatcher, Ledger, Outcomes, Provider, Providers, RunSlots
from oneseat.contract.routing import Candidate, RouteTable
from oneseat.rules.runs.retry import RetryLimits
from oneseat.rules.runs.sessions import Nesting

from .budgets import BudgetContext
from .limits import WindowGuard
from .policy import PolicyContext
from .sessions import SessionDeps
from .watchdog import Timeouts

#: Returns the errors of an answer under a schema. Raises ``OneseatError`` where they cannot be found out.
AnswerCheck: TypeAlias = Callable[[dict[str, Any], object], Awaitable[list[str]]]


def as_it_is(error: ErrorInfo) -> ErrorInfo:
    """The error in the words of a command line, in which it was made."""
    return error


class RunDeps(NamedTuple):
    """The dependencies of every run.

    ``provider`` is the one of the owner's seat. ``chance`` returns random numbers in [0, 1); ``admit`` raises
    ``OneseatError`` for a provider whose program must not be used; ``foresee`` says why a candidate would fail at its start,
    as far as that shows without starting anything. ``words`` puts a result's error into its reader's words.
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
    foresee: Callable[[Candidate], Awaitable[ErrorInfo | None]]
    budgets: BudgetContext
    windows: WindowGuard
    check_answer: AnswerCheck
    words: Callable[[ErrorInfo], ErrorInfo] = as_it_is
