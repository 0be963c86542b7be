"""What every run is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from oneseat.contract.ports import Clock, Dispatcher, Ledger, Outcomes, Provider, Providers, RunSlots
from oneseat.contract.routing import RouteTable
from oneseat.rules.runs.retry import RetryLimits
from oneseat.rules.runs.sessions import Nesting

from .conversation import Books
from .counsel import Counsel
from .room import Room
from .spending import Purse
from .watchdog import Patience


class Parts(NamedTuple):
    """What a run is made of.

    ``provider`` is the one that serves, at first that of the owner's seat. ``chance`` gives random numbers from 0 up to 1;
    ``admit`` raises ``OneseatError`` for a provider whose program must not be used.
    """

    provider: Provider
    providers: Providers
    routes: RouteTable
    outcomes: Outcomes
    ledger: Ledger
    clock: Clock
    counsel: Counsel
    patience: Patience
    books: Books
    lanes: RunSlots
    nesting: Nesting
    retry: RetryLimits
    chance: Callable[[], float]
    audience: Dispatcher
    admit: Callable[[str], Awaitable[None]]
    purse: Purse
    room: Room
