"""The one flow: request, policy, candidates, billing gate, provider, meter, ledger, caller. Read it top to bottom."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from functools import partial

import msgspec

from oneseat.contract.events import Batch, WalletVerified
from oneseat.contract.permission import Asker
from oneseat.contract.ports import ProviderSession, Slot
from oneseat.contract.request import Permitted, Plan, Refused, Request
from oneseat.rules import billing, routing
from oneseat.rules.policy import decide as policy
from oneseat.rules.runs import sessions

from .admission import FREE, admitted, let_others_start
from .attempts import Attempts, Surroundings, record_event
from .candidates import Candidates
from .conversation import conversation_of
from .counsel import confirmed, noted
from .parts import Parts
from .record import RunRecord
from .room import room_for
from .spending import metered, reserved
from .turns import Turns
from .watchdog import Patience, Watchdog


async def flow(
    parts: Parts, request: Request, record: RunRecord, ask: Asker | None
) -> AsyncGenerator[Batch, None]:
    """Take a request through every station. Ends normally when ``record`` knows how the run ended.

    Raises ``OneseatError`` for what the provider, the watchdog or the ledger could not do; ``record`` holds what was received.
    """
    await parts.ledger.begin(record.run_id, request, parts.provider.name)
    permitted = await _permitted(parts, request, record)
    if isinstance(permitted, Refused):
        record.refuse(permitted)
        return
    record.permitted = permitted
    serve = partial(_served, record=record, watchdog=Watchdog(_patience(parts, request)), ask=ask)
    async with aclosing(Candidates(parts, record, serve).all(permitted)) as events:
        async for batch in events:
            yield batch


async def _permitted(parts: Parts, request: Request, record: RunRecord) -> Permitted | Refused:
    loop = sessions.nesting_error(parts.nesting)
    if loop is not None:
        return Refused(error=loop)
    record.view = await parts.counsel.view(parts.provider)
    return await noted(parts.ledger, record.run_id, policy.decide(request, record.view))


async def _served(
    parts: Parts, permitted: Permitted, *, record: RunRecord, watchdog: Watchdog, ask: Asker | None
) -> AsyncGenerator[Batch, None]:
    """One candidate serves: when there is room for it, a place and a budget, in as many attempts as it takes."""
    room = await room_for(parts.room, permitted, parts.provider)
    if isinstance(room, Refused):
        record.refuse(room)
        return
    if room is not None:
        await parts.ledger.record(record.run_id, room)
        yield (room,)
    await parts.admit(parts.provider.name)
    seat = partial(parts.providers.of, parts.routes.seat)
    belonging = conversation_of(
        parts.books, permitted.request, record.run_id, parts.clock, provider=parts.provider, seat=seat
    )
    async with belonging as conversation:
        with watchdog.watching(conversation.written_bytes):
            around = Surroundings(parts, record, conversation, watchdog, ask)
            async with _place(parts) as place:
                async for batch in admitted(place, watchdog):
                    yield batch
                bounded = await reserved(parts.purse, record, permitted)
                if isinstance(bounded, Refused):
                    record.refuse(bounded)
                    return
                async with aclosing(Attempts(around, _attempt).all(bounded)) as attempts:
                    async for batch in attempts:
                        yield batch


def _place(parts: Parts) -> AbstractAsyncContextManager[Slot]:
    # What bounds runs is the memory that their processes take; a request that is sent from here takes next to none.
    return parts.lanes.run() if parts.provider.abilities.process else nullcontext(FREE)


async def _attempt(around: Surroundings, permitted: Permitted) -> AsyncGenerator[Batch, None]:
    """One process of the provider, begun when no other renews the login."""
    parts, cwd = around.parts, permitted.request.cwd
    logs_in = parts.provider.abilities.process
    async with parts.lanes.start(parts.provider.name, cwd) if logs_in else nullcontext(FREE) as place:
        async for batch in admitted(place, around.watchdog):
            yield batch
        async with aclosing(_process(around, permitted)) as events:
            async for batch in events:
                let_others_start(place, batch)
                yield batch


async def _process(around: Surroundings, permitted: Permitted) -> AsyncGenerator[Batch, None]:
    """One process of the provider, from the billing gate to the end of its turns."""
    parts, record, conversation, watchdog, ask = around
    async with parts.provider.open(permitted, record.run_id, conversation.stamp) as session:
        record.opened(session)
        plan = await _gate(around, permitted, session)
        if isinstance(plan, Refused):
            record.refuse(plan)
            return
        verified = WalletVerified(wallet=plan.cleared.wallet, evidence=plan.cleared.evidence)
        for event in filter(None, (verified, conversation.news())):
            yield await record_event(around, event)
        await conversation.sent()
        watchdog.sent()
        record.sent(plan, conversation.stamp)
        async with aclosing(Turns(parts, record, session, watchdog, ask).all(plan)) as turns:
            async for batch in turns:
                yield batch


async def _gate(around: Surroundings, permitted: Permitted, session: ProviderSession) -> Plan | Refused:
    """The billing gate, the model and the budget. Nothing of this attempt has been sent when this returns."""
    parts, record = around.parts, around.record
    facts = await around.watchdog.wait(session.credential_facts())
    record.leg.capabilities = session.capabilities
    cleared = billing.clear(permitted, facts, parts.provider.wallet)
    cleared = await confirmed(parts.ledger, record, cleared, facts)
    if isinstance(cleared, Refused):
        return cleared
    record.leg.cleared = cleared
    model = permitted.request.model or parts.provider.default_model
    plan = routing.choose(
        cleared, parts.provider.name, model, session.capabilities, around.conversation.brief
    )
    plan = await metered(parts.purse, record, plan)
    while isinstance(plan, Plan) and not await around.watchdog.wait(session.ready()):
        pass
    return plan


def _patience(parts: Parts, request: Request) -> Patience:
    return (
        parts.patience
        if request.timeout_s is None
        else msgspec.structs.replace(parts.patience, total=request.timeout_s)
    )
