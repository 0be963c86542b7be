"""A request on its way to a provider. Each type is made from the one before it, and only in ``rules``, so no step can be skipped.

Request -> policy -> Permitted -> budgets -> Budgeted -> billing gate -> Cleared -> routing -> Dispatch
              \\________________________________ Refused ________________________________/
"""

from __future__ import annotations

import msgspec

from .budgets import Allowance, Reservation
from .errors import ErrorInfo
from .facts import SessionInfo
from .policy import PolicyInputs
from .receipt import Evidence, PolicyStamp, Wallet
from .request import Request
from .routing import PaidFrom


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The run must not go on. A value, not an exception: it is written to the ledger like any other end."""

    error: ErrorInfo
    policy: PolicyStamp | None = None
    wallet: Wallet = "unknown"
    evidence: tuple[Evidence, ...] = ()
    inputs: PolicyInputs | None = None


class Permitted(msgspec.Struct, frozen=True, kw_only=True):
    """The policy allows this request to be paid from ``paid_from``; ``objection`` says why not from anything else."""

    request: Request
    policy: PolicyStamp
    paid_from: frozenset[PaidFrom] = frozenset({"plan", "api_credits", "api_key"})
    objection: ErrorInfo | None = None
    inputs: PolicyInputs | None = None


class Budgeted(msgspec.Struct, frozen=True, kw_only=True):
    """The budgets of the request leave it ``reservation``, which is ``NO_BUDGET`` where it has none."""

    permitted: Permitted
    reservation: Reservation

    @property
    def request(self) -> Request:
        """What the caller wants, with the bounds that its budgets set."""
        return self.permitted.request


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """The billing gate has seen which wallet would pay, and it is the planned one."""

    budgeted: Budgeted
    wallet: Wallet
    evidence: tuple[Evidence, ...]

    @property
    def permitted(self) -> Permitted:
        """What the policy allowed."""
        return self.budgeted.permitted


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, to whom and to which model. ``background`` is text that goes before the prompt, marked as quoted.

    ``allowance`` is asked before each request that is charged by use and has a budget.
    """

    cleared: Cleared
    provider: str
    model: str
    capabilities: SessionInfo
    background: str | None = None
    allowance: Allowance | None = None

    @property
    def request(self) -> Request:
        """What the caller wants, with the bounds that its budgets set."""
        return self.cleared.budgeted.request
