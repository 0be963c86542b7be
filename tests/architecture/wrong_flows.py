"""Flows that leave out one step each. None may type-check: if one did, mypy would report that its error is ignored in vain.

Never run. `make check` type-checks it with everything else.
"""

from __future__ import annotations

from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.facts import PayerFacts, SessionInfo
from oneseat.contract.ports import ProviderSession
from oneseat.contract.request import Request
from oneseat.contract.stations import Budgeted, Cleared, Permitted, Refused
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.routing import candidates as routing


def without_policy(request: Request) -> None:
    """Budgets take only what the policy permitted."""
    bounds.reserve(request, NO_BUDGET)  # type: ignore[arg-type]


def without_a_look_at_the_refusal(decision: Permitted | Refused) -> None:
    """What the policy has refused goes no further."""
    bounds.reserve(decision, NO_BUDGET)  # type: ignore[arg-type]


def without_budget(permitted: Permitted, facts: PayerFacts) -> None:
    """The billing gate takes only what has a reservation."""
    billing.clear(permitted, facts, "plan")  # type: ignore[arg-type]


def without_a_reservation(permitted: Permitted) -> None:
    """A run without budgets says so: with ``NO_BUDGET``."""
    bounds.reserve(permitted)  # type: ignore[call-arg]


def without_billing_gate(budgeted: Budgeted) -> None:
    """Routing takes only what the billing gate has cleared."""
    routing.dispatch(budgeted, "claude-cli", "opus", SessionInfo())  # type: ignore[arg-type]


def without_routing(session: ProviderSession, cleared: Cleared) -> None:
    """A provider sends only what has a model and a provider."""
    session.send(cleared)  # type: ignore[arg-type]
