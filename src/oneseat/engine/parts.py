"""What every run is made of."""

from __future__ import annotations

from typing import NamedTuple

from oneseat.contract.ports import Clock, Ledger, Provider
from oneseat.rules.policy import PolicyView
from oneseat.rules.sessions import Nesting

from .conversation import Books
from .watchdog import Patience


class Parts(NamedTuple):
    """What a run is made of."""

    provider: Provider
    ledger: Ledger
    clock: Clock
    policy: PolicyView
    patience: Patience
    books: Books
    nesting: Nesting
