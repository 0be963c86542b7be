"""The one flow: request, policy, billing gate, routing, provider, meter, ledger, caller. Read it top to bottom."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from oneseat.contract.errors import OneseatError
from oneseat.contract.events import Event, TurnEnded, WalletVerified
from oneseat.contract.ports import Clock, Ledger, Provider, ProviderSession
from oneseat.contract.request import Permitted, Plan, Refused, Request
from oneseat.rules import billing, policy, routing

from .record import RunRecord
from .watchdog import Patience, Watchdog


class Parts(NamedTuple):
    """What a run is made of."""

    provider: Provider
    ledger: Ledger
    clock: Clock
    policy: policy.PolicyView
    patience: Patience


async def flow(parts: Parts, request: Request, record: RunRecord) -> AsyncGenerator[Event, None]:
    """Take a request through every station. Ends normally when ``record`` knows how the run ended.

    Raises ``OneseatError`` for what the provider, the watchdog or the ledger could not do; ``record`` holds what was received.
    """
    await parts.ledger.begin(record.run_id, request, parts.provider.name)
    permitted = policy.decide(request, parts.policy)
    if isinstance(permitted, Refused):
        record.refuse(permitted)
        return
    record.permitted = permitted
    with Watchdog(_patience(parts, request)) as watchdog:
        async with parts.provider.open(permitted, record.run_id) as session:
            plan = await _gate(parts, permitted, record, session, watchdog)
            if isinstance(plan, Refused):
                record.refuse(plan)
                return
            verified = WalletVerified(wallet=plan.cleared.wallet, evidence=plan.cleared.evidence)
            await parts.ledger.record(record.run_id, verified)
            yield verified
            async with aclosing(_turn(parts, plan, record, session, watchdog)) as turn:
                async for event in turn:
                    yield event


async def _gate(
    parts: Parts, permitted: Permitted, record: RunRecord, session: ProviderSession, watchdog: Watchdog
) -> Plan | Refused:
    """The billing gate and the routing. Nothing has been sent when this returns."""
    facts = await watchdog.wait(session.credential_facts())
    record.capabilities = session.capabilities
    cleared = billing.clear(permitted, facts, parts.provider.wallet)
    if isinstance(cleared, Refused):
        return cleared
    record.cleared = cleared
    model = permitted.request.model or parts.provider.default_model
    return routing.choose(cleared, parts.provider.name, model, session.capabilities)


async def _turn(
    parts: Parts, plan: Plan, record: RunRecord, session: ProviderSession, watchdog: Watchdog
) -> AsyncGenerator[Event, None]:
    """Send the prompt and pass on what comes: metered, checked, written, then yielded."""
    record.sent(plan)
    watchdog.sent()
    events = session.send(plan)
    while (event := await watchdog.wait(anext(events, None))) is not None:
        watchdog.saw(event)
        record.add(event)
        if event.durable:
            await parts.ledger.record(record.run_id, event)
        alarm = billing.judge_during(event)
        if alarm is not None:
            # Another wallet is paying: every further second costs money, so the turn is stopped before anything else.
            await session.interrupt()
            raise OneseatError(alarm)
        if not isinstance(event, TurnEnded):
            yield event


def _patience(parts: Parts, request: Request) -> Patience:
    return (
        parts.patience
        if request.timeout_s is None
        else msgspec.structs.replace(parts.patience, total=request.timeout_s)
    )
