"""The one flow: request, policy, billing gate, routing, provider, meter, ledger, caller. Read it top to bottom."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import msgspec

from oneseat.contract.errors import OneseatError
from oneseat.contract.events import Event, WalletVerified
from oneseat.contract.permission import Asker
from oneseat.contract.ports import ProviderSession
from oneseat.contract.request import Permitted, Plan, Refused, Request
from oneseat.rules import billing, policy, routing, sessions

from .conversation import Conversation, conversation_of
from .parts import Parts
from .record import RunRecord
from .turns import Turns
from .watchdog import Patience, Watchdog


async def flow(
    parts: Parts, request: Request, record: RunRecord, ask: Asker | None
) -> AsyncGenerator[Event, None]:
    """Take a request through every station. Ends normally when ``record`` knows how the run ended.

    Raises ``OneseatError`` for what the provider, the watchdog or the ledger could not do; ``record`` holds what was received.
    """
    await parts.ledger.begin(record.run_id, request, parts.provider.name)
    permitted = _permitted(parts, request)
    if isinstance(permitted, Refused):
        record.refuse(permitted)
        return
    record.permitted = permitted
    belonging = conversation_of(parts.books, request, record.run_id, parts.provider, parts.clock)
    async with belonging as conversation:
        with Watchdog(_patience(parts, request)) as watchdog:
            async with _opened(parts, permitted, record, conversation, watchdog) as (session, plan):
                if isinstance(plan, Refused):
                    record.refuse(plan)
                    return
                verified = WalletVerified(wallet=plan.cleared.wallet, evidence=plan.cleared.evidence)
                for event in filter(None, (verified, conversation.renewed)):
                    await parts.ledger.record(record.run_id, event)
                    yield event
                await conversation.sent()
                watchdog.sent()
                record.sent(plan, conversation.stamp)
                async with aclosing(Turns(parts, record, session, watchdog, ask).all(plan)) as turns:
                    async for event in turns:
                        yield event


def _permitted(parts: Parts, request: Request) -> Permitted | Refused:
    loop = sessions.too_deep(parts.nesting)
    return Refused(error=loop) if loop is not None else policy.decide(request, parts.policy)


@asynccontextmanager
async def _opened(
    parts: Parts, permitted: Permitted, record: RunRecord, conversation: Conversation, watchdog: Watchdog
) -> AsyncIterator[tuple[ProviderSession, Plan | Refused]]:
    """The provider with the gate's answer. One that has lost the conversation is asked once more, for a fresh one."""
    async with AsyncExitStack() as stack:

        async def attempt() -> tuple[ProviderSession, Plan | Refused]:
            opening = parts.provider.open(permitted, record.run_id, conversation.stamp)
            session = await stack.enter_async_context(opening)
            record.opened(session)
            return session, await _gate(parts, permitted, record, session, watchdog)

        try:
            opened = await attempt()
        except OneseatError as failure:
            if not conversation.begin_anew_after(failure.info):
                raise
            await stack.aclose()
            opened = await attempt()
        yield opened


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


def _patience(parts: Parts, request: Request) -> Patience:
    return (
        parts.patience
        if request.timeout_s is None
        else msgspec.structs.replace(parts.patience, total=request.timeout_s)
    )
