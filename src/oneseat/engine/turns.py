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

#: So many events are written at once at most: a provider that is faster than its caller would be heard at its end only.
_TOGETHER = 256


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
        # Closed here and not by the garbage collector, which would do it when what it uses is gone.
        closing = aclosing(events) if isinstance(events, AsyncGenerator) else nullcontext()
        async with closing, aclosing(self._passed_on(events)) as passed:
            async for event in passed:
                yield event

    async def _passed_on(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        """Pass on what comes: metered, checked, written, then yielded. What has come together is written together."""
        came: list[Event] = []
        while (event := await self.watchdog.wait(anext(events, None))) is not None:
            self.watchdog.saw(event)
            came.append(event)
            self.record.add(event)
            alarm = await self._alarm(event)
            gathers = self.session.at_hand and len(came) < _TOGETHER and not isinstance(event, Question)
            if alarm is None and gathers:
                continue
            await self._write(came)
            if alarm is not None:
                # Another wallet is paying, or the run cannot succeed: every further second costs, so the turn ends first.
                await self.session.interrupt()
                came.pop()
            for each in came:
                if not isinstance(each, TurnEnded):
                    yield each
            if alarm is not None:
                raise OneseatError(alarm)
            came = []
            if isinstance(event, Question):
                yield await self._answered(event)

    async def _write(self, came: list[Event]) -> None:
        durable = [event for event in came if event.durable]
        if durable:
            await self.parts.ledger.record(self.record.run_id, *durable)

    async def _alarm(self, event: Event) -> ErrorInfo | None:
        """Why the turn must end now; ``None`` when it need not."""
        alarm = billing.judge_during(event) or self.record.objection(event)
        if alarm is not None and await self._more(alarm):
            alarm = self.record.objection(event)
        return alarm

    async def _more(self, objection: ErrorInfo) -> bool:
        """Whether a run that has used its part of a shared budget gets more of it."""
        return objection.code == "budget.reached" and await more(self.parts.purse, self.record)

    async def _answered(self, question: Question) -> Answered:
        permission, by = await self.watchdog.wait(decide(self.ask, question, self.parts.patience.question))
        await self.session.answer(question, permission)
        answered = Answered(
            id=question.id,
            tool=question.tool,
            allowed=permission.allowed,
            by=by,
            why=None if permission.allowed else permission.why,
            call=question.call,
        )
        self.record.add(answered)
        await self._write([answered])
        return answered
