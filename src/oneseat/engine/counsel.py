"""What the policy is asked with: the rules in force today, and what is known of the seat besides the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from oneseat.contract.facts import PayerFacts
from oneseat.contract.policy_pack import Pack
from oneseat.contract.ports import Ledger, PolicySource, Provider, RunHistory
from oneseat.contract.request import Cleared, Permitted, Refused
from oneseat.rules.policy import decide as policy
from oneseat.rules.policy.decide import PolicyView
from oneseat.rules.policy.inputs import PolicyEnvironment

from .record import RunRecord


class Counsel(NamedTuple):
    """Where the policy looks.

    ``around`` is what stays the same; ``now`` tells seconds since 1970, ``today`` the day that a pack is asked for (ISO 8601).
    """

    laws: PolicySource
    history: RunHistory
    around: PolicyEnvironment
    now: Callable[[], float]
    today: Callable[[Pack], str]

    async def view(self, provider: Provider) -> PolicyView:
        """Everything but the request. Raises ``UsageError`` for a pack or a ledger that cannot be read."""
        now, book = self.now(), self.laws.read()
        simulated = provider.wallet == "simulator"
        lately = await self.history.lately(provider.name, now, simulated=simulated)
        if simulated:
            # They use nothing up, and a thorough test of somebody's scripts is thousands of them.
            lately = lately._replace(at_once=0, last_hour=0, last_day=0, hours=0)
        return PolicyView(
            pack=book.pack,
            day=self.today(book.pack),
            confirmations=book.word.confirmations,
            environment=msgspec.structs.replace(self.around, activity=lately, now=now),
        )


async def noted(ledger: Ledger, run_id: str, decided: Permitted | Refused) -> Permitted | Refused:
    """The same decision, once the ledger holds it with its inputs. Raises ``UsageError`` when it cannot be written."""
    if decided.policy is not None and decided.inputs is not None:
        await ledger.decided(run_id, decided.policy, decided.inputs)
    return decided


async def confirmed(
    ledger: Ledger, record: RunRecord, cleared: Cleared | Refused, facts: PayerFacts
) -> Cleared | Refused:
    """The same, once the policy has heard what the billing gate found out; a refusal where that changes its mind."""
    if isinstance(cleared, Refused) or record.view is None:
        return cleared
    before = cleared.permitted
    now = policy.confirm(before, facts, record.view)
    if now is before:
        return cleared
    now = await noted(ledger, record.run_id, now)
    if isinstance(now, Refused):
        return msgspec.structs.replace(now, wallet=cleared.wallet, evidence=cleared.evidence)
    record.permitted = now
    return msgspec.structs.replace(cleared, permitted=now)
