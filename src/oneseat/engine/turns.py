"""The turns of one run: what is sent, what comes back, and what is done about it while it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Answered, Event, Question, TurnEnded
from oneseat.contract.permission import Asker
from oneseat.contract.ports import ProviderSession
from oneseat.contract.request import Plan
from oneseat.rules import billing, schemas

from .asking import decide
from .parts import Parts
from .record import RunRecord
from .spending import more
from .watchdog import Watchdog


class Turns(NamedTuple):
    """One opened provider and what a turn with it needs."""

    parts: Parts
    record: RunRecord
    session: ProviderSession
    watchdog: Watchdog
    ask: Asker | None

    async def all(self, plan: Plan) -> AsyncGenerator[Event, None]:
        """Send the prompt; when the answer does not fit its schema, ask once more."""
        async with aclosing(self._turn(self.session.send(plan))) as turn:
            async for event in turn:
                yield event
        found = self.record.schema_complaints()
        if not found:
            return
        reached = self.record.may_say_more()
        if reached is not None and not await self._more(reached):
            raise OneseatError(reached)
        async with aclosing(self._turn(self.session.say(schemas.repair_prompt(found)))) as turn:
            async for event in turn:
                yield event

    async def _turn(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        """Pass on what comes: metered, checked, written, then yielded."""
        # Closed here and not by the garbage collector, which would do it when what it uses is gone.
        async with aclosing(events) if isinstance(events, AsyncGenerator) else nullcontext():
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
        if alarm is not None and await self._more(alarm):
            alarm = self.record.objection(event)
        if alarm is not None:
            # Another wallet is paying, or the run cannot succeed: every further second costs, so the turn ends first.
            await self.session.interrupt()
            raise OneseatError(alarm)

    async def _more(self, objection: ErrorInfo) -> bool:
        """Whether a run that has used its part of a shared budget gets more of it."""
        return objection.code == "budget.reached" and await more(self.parts.purse, self.record)

    async def _answer(self, question: Question) -> Answered:
        permission, by = await self.watchdog.wait(decide(self.ask, question, self.parts.patience.question))
        await self.session.answer(question, permission)
        return Answered(
            id=question.id,
            tool=question.tool,
            allowed=permission.allowed,
            by=by,
            why=None if permission.allowed else permission.why,
            call=question.call,
        )
