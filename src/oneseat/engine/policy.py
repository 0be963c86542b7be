"""Collects the inputs of the policy, and writes its decisions to the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from oneseat.contract.facts import PayerFacts
from oneseat.contract.policy_pack import Pack
from oneseat.contract.ports import Ledger, PolicySource, Provider, RunHistory
from oneseat.contract.stations import Cleared, Permitted, Refused
from oneseat.rules.policy import decide as policy
from oneseat.rules.policy.decide import PolicyView
from oneseat.rules.policy.inputs import PolicyEnvironment

from .record import RunRecord


class PolicyContext(NamedTuple):
    """The sources of the policy's rules and inputs.

    ``environment`` does not change between runs; ``now`` returns seconds since 1970, ``today`` the date for which the pack is
    applied (ISO 8601).
    """

    source: PolicySource
    history: RunHistory
    environment: PolicyEnvironment
    now: Callable[[], float]
    today: Callable[[Pack], str]

    async def view(self, provider: Provider) -> PolicyView:
        """All inputs except the request. Raises ``UsageError`` for an unreadable pack or ledger."""
        now, state = self.now(), self.source.read()
        simulated = provider.wallet == "simulator"
        recent = await self.history.recent_activity(provider.name, now, simulated=simulated)
        if simulated:
            # Simulated runs use no quota, and a thorough test of a user's scripts makes thousands of them.
            recent = recent._replace(at_once=0, last_hour=0, last_day=0, hours=0)
        return PolicyView(
            pack=state.pack,
            day=self.today(state.pack),
            confirmations=state.word.confirmations,
            environment=msgspec.structs.replace(self.environment, activity=recent, now=now),
        )


async def record_decision(ledger: Ledger, run_id: str, decision: Permitted | Refused) -> None:
    """Write a decision and its inputs to the ledger. Raises ``UsageError`` when it cannot be written."""
    if decision.policy is not None and decision.inputs is not None:
        await ledger.decided(run_id, decision.policy, decision.inputs)


async def confirm(
    ledger: Ledger, record: RunRecord, cleared: Cleared, facts: PayerFacts
) -> Cleared | Refused:
    """Decide again with the billing gate's findings. Raises ``UsageError`` when a new decision cannot be written."""
    if record.view is None:
        return cleared
    confirmed = policy.confirm_cleared(cleared, facts, record.view)
    if confirmed is cleared:
        return cleared
    decision = confirmed if isinstance(confirmed, Refused) else confirmed.permitted
    await record_decision(ledger, record.run_id, decision)
    if isinstance(decision, Permitted):
        record.decided(record.view, decision)
    return confirmed
