"""The turns of one run: what is sent, what comes back, and what is done about it while it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Answered, Batch, Question, ToolCall, TurnEnded
from oneseat.contract.permission import Asker
from oneseat.contract.ports import ProviderSession
from oneseat.contract.request import Plan
from oneseat.rules.inputs import schemas

from .asking import decide
from .parts import Parts
from .record import RunRecord
from .spending import give_back, more
from .watchdog import Watchdog


class Turns(NamedTuple):
    """One opened provider and what a turn with it needs."""

    parts: Parts
    record: RunRecord
    session: ProviderSession
    watchdog: Watchdog
    ask: Asker | None

    async def all(self, plan: Plan) -> AsyncGenerator[Batch, None]:
        """Send the prompt; when the answer does not fit its schema, ask once more."""
        async with aclosing(self._turn(self.session.send(plan))) as turn:
            async for batch in turn:
                yield batch
        found = self.record.schema_complaints()
        if not found:
            return
        reached = self.record.may_say_more()
        if reached is not None and not await self._more(reached):
            raise OneseatError(reached)
        # Two that wait for what the other one's answer did not cost would do so in vain.
        await give_back(self.parts.purse, self.record)
        async with aclosing(self._turn(self.session.say(schemas.repair_prompt(found)))) as turn:
            async for batch in turn:
                yield batch

    async def _turn(self, batches: AsyncIterator[Batch]) -> AsyncGenerator[Batch, None]:
        # Closed here and not by the garbage collector, which would do it when what it uses is gone.
        closing = aclosing(batches) if isinstance(batches, AsyncGenerator) else nullcontext()
        async with closing, aclosing(self._passed_on(batches)) as passed:
            async for batch in passed:
                yield batch

    async def _passed_on(self, batches: AsyncIterator[Batch]) -> AsyncGenerator[Batch, None]:
        """Pass on what comes: metered, checked, written, then yielded. What has come together is written together."""
        while (came := await self.watchdog.wait(anext(batches, None))) is not None:
            self.watchdog.saw(*came)
            taken, alarm = await self._taken(came)
            await self._write(taken)
            if any(isinstance(event, ToolCall) for event in taken):
                # A function may take an hour, and nothing is asked of the model meanwhile.
                await give_back(self.parts.purse, self.record)
            if alarm is not None:
                # Another wallet is paying, or the run cannot succeed: every further second costs, so the turn ends first.
                await self.session.interrupt()
            # Of what raised the alarm, the error tells; of the end of the turn, the end of the run.
            shown = taken[:-1] if alarm is not None or isinstance(came[-1], TurnEnded) else taken
            if shown:
                yield shown
            if alarm is not None:
                raise OneseatError(alarm)
            if isinstance(came[-1], Question):
                yield (await self._answered(came[-1]),)

    async def _taken(self, came: Batch) -> tuple[Batch, ErrorInfo | None]:
        """Meter what has come, up to the event after which the turn must end now, and say why it must."""
        for number, event in enumerate(came, 1):
            self.record.add(event)
            alarm = self.record.objection(event)
            if alarm is not None and await self._more(alarm):
                alarm = self.record.objection(event)
            if alarm is not None:
                return came[:number], alarm
        return came, None

    async def _write(self, came: Batch) -> None:
        durable = [event for event in came if event.durable]
        if durable:
            await self.parts.ledger.record(self.record.run_id, *durable)

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
        await self._write((answered,))
        return answered
