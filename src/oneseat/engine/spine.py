"""The one flow: request, policy, billing gate, routing, provider, meter, ledger, caller. Read it top to bottom."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from oneseat.contract.errors import OneseatError
from oneseat.contract.events import Answered, Event, Question, TurnEnded, WalletVerified
from oneseat.contract.permission import Asker
from oneseat.contract.ports import Clock, Ledger, Provider, ProviderSession
from oneseat.contract.request import Permitted, Plan, Refused, Request
from oneseat.rules import billing, policy, routing, schemas

from .asking import decide
from .record import RunRecord
from .watchdog import Patience, Watchdog


class Parts(NamedTuple):
    """What a run is made of."""

    provider: Provider
    ledger: Ledger
    clock: Clock
    policy: policy.PolicyView
    patience: Patience


async def flow(
    parts: Parts, request: Request, record: RunRecord, ask: Asker | None
) -> AsyncGenerator[Event, None]:
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
            watchdog.sent()
            record.sent(plan)
            conversation = Conversation(parts, record, session, watchdog, ask)
            async with aclosing(conversation.turns(plan)) as turns:
                async for event in turns:
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


class Conversation(NamedTuple):
    """One opened provider and what a turn with it needs."""

    parts: Parts
    record: RunRecord
    session: ProviderSession
    watchdog: Watchdog
    ask: Asker | None

    async def turns(self, plan: Plan) -> AsyncGenerator[Event, None]:
        """Send the prompt; when the answer does not fit its schema, ask once more."""
        async with aclosing(self._turn(self.session.send(plan))) as turn:
            async for event in turn:
                yield event
        found = self.record.schema_complaints()
        if not found:
            return
        async with aclosing(self._turn(self.session.say(schemas.repair_prompt(found)))) as turn:
            async for event in turn:
                yield event

    async def _turn(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        """Pass on what comes: metered, checked, written, then yielded."""
        while (event := await self.watchdog.wait(anext(events, None))) is not None:
            self.watchdog.saw(event)
            await self._take(event)
            if not isinstance(event, TurnEnded):
                yield event
            if isinstance(event, Question):
                answered = await self._answer(event)
                await self._take(answered)
                yield answered

    async def _take(self, event: Event) -> None:
        self.record.add(event)
        if event.durable:
            await self.parts.ledger.record(self.record.run_id, event)
        alarm = billing.judge_during(event) or self.record.objection(event)
        if alarm is not None:
            # Another wallet is paying, or the run cannot succeed: every further second costs, so the turn ends first.
            await self.session.interrupt()
            raise OneseatError(alarm)

    async def _answer(self, question: Question) -> Answered:
        permission, by = await self.watchdog.wait(decide(self.ask, question, self.parts.patience.question))
        await self.session.answer(question, permission)
        return Answered(
            id=question.id,
            tool=question.tool,
            allowed=permission.allowed,
            by=by,
            why=None if permission.allowed else permission.why,
        )


def _patience(parts: Parts, request: Request) -> Patience:
    return (
        parts.patience
        if request.timeout_s is None
        else msgspec.structs.replace(parts.patience, total=request.timeout_s)
    )
