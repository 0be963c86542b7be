"""Runs the turns with an opened provider: the prompt, its events, answers to questions, one repair turn."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, nullcontext
from typing import NamedTuple

from oneseat.contract import events
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Answered, Batch, Question, ToolCall, TurnEnded
from oneseat.contract.ports import ProviderSession, Slot
from oneseat.contract.request import ApprovalCallback, Permission
from oneseat.contract.stations import Dispatch
from oneseat.rules.billing import gate as billing
from oneseat.rules.inputs import schemas

from .budgets import CandidateBudget
from .channel import EventChannel
from .deps import AnswerCheck
from .record import RunRecord
from .watchdog import Watchdog

#: Events that only the model causes: with the first one, the vendor has accepted the login of this process, renewed or not.
_FROM_THE_MODEL = (
    events.TextDelta,
    events.ThinkingDelta,
    events.Message,
    events.ToolCall,
    events.UsageSeen,
    events.LimitSeen,
    events.TurnEnded,
)


class Turns(NamedTuple):
    """An opened provider and what a turn with it needs. ``start`` is the start lock, held until the model's first output."""

    process: ProviderSession
    start: Slot
    budget: CandidateBudget
    record: RunRecord
    channel: EventChannel
    watchdog: Watchdog
    ask: ApprovalCallback | None
    check: AnswerCheck

    async def run(self, dispatch: Dispatch) -> None:
        """Send the prompt; when the answer does not fit its schema, ask for a correction once."""
        found = await self._checked(self.process.send(dispatch))
        if not found:
            return
        reached = self.record.may_say_more()
        if reached is not None and not await self._extended(reached):
            raise OneseatError(reached)
        # Release the surplus first, or two runs wait for each other's reservation.
        await self.budget.shrink_reservation()
        self.check_payer(sent=True)
        await self._checked(self.process.say(schemas.repair_prompt(found)))

    async def _checked(self, batches: AsyncIterator[Batch]) -> list[str]:
        """Do a turn, and return what is wrong with the structure of its answer."""
        await self._turn(batches)
        answer = self.record.to_check()
        if answer is None:
            return []
        return self.record.checked(await self.watchdog.wait(self.check(*answer)))

    def check_payer(self, *, sent: bool) -> None:
        """Raise ``OneseatError`` when what decides who pays has changed since the gate: ``billing.settings_changed`` or,
        where the run has ``sent`` something, ``billing.changed_midway``.
        """
        error = billing.overtaken(self.process.overtaken(), sent=sent)
        if error is not None:
            raise OneseatError(error)

    def payer_objection(self) -> ErrorInfo | None:
        """Why a turn that goes on must end; ``None`` when it may."""
        return billing.overtaken(self.process.overtaken(), sent=True)

    async def _turn(self, batches: AsyncIterator[Batch]) -> None:
        # Close it here: the garbage collector would close it only after the objects it uses.
        async with aclosing(batches) if isinstance(batches, AsyncGenerator) else nullcontext():
            while (batch := await self.watchdog.wait(anext(batches, None))) is not None:
                # Events that come without a pause leave no wait for the watchdog to end.
                late = self.watchdog.alarm
                self.watchdog.saw(*batch)
                await self._handle(self.record.with_other_models(batch))
                if late is not None and not isinstance(batch[-1], TurnEnded):
                    raise OneseatError(late)

    async def _handle(self, batch: Batch) -> None:
        """Meter a batch, write it, pass it to the reader; answer its question, or end the turn when the run must stop."""
        metered, error = await self._metered(batch)
        await self.channel.write(metered)
        if ToolCall in map(type, metered):
            # A tool may take an hour, and no model request is made meanwhile.
            await self.budget.shrink_reservation()
        if error is not None:
            # Every further second may cost money, so end the turn before the reader gets the event.
            await self.process.interrupt()
        # Do not show the last event: the error describes it, or the final event of the run replaces the end of the turn.
        shown = metered[:-1] if error is not None or isinstance(batch[-1], TurnEnded) else metered
        if shown:
            self._release_on_first_output(shown)
            await self.channel.hand_over(shown)
        if error is not None:
            raise OneseatError(error)
        if isinstance(batch[-1], Question):
            await self._answer(batch[-1])

    async def _metered(self, batch: Batch) -> tuple[Batch, ErrorInfo | None]:
        """Count the events up to the one after which the turn must end; returns them and why it must end."""
        metered, error = self.record.take(batch)
        while error is not None:
            if await self._extended(error):
                error = self.record.stop_reason(batch[metered - 1])
            if error is not None:
                return batch[:metered], error
            more, error = self.record.take(batch[metered:])
            metered += more
        return batch, None

    async def _extended(self, error: ErrorInfo) -> bool:
        """Reserve more for a run that has used up its reservation; returns whether it got any."""
        return error.code == "budget.reached" and await self.budget.extend_reservation()

    def _release_on_first_output(self, batch: Batch) -> None:
        """Let other runs start a process as soon as the model sends its first output."""
        if any(isinstance(event, _FROM_THE_MODEL) for event in batch):
            self.start.release()

    async def _answer(self, question: Question) -> None:
        permission, by = await self.watchdog.wait(decide(self.ask, question, self.watchdog.timeouts.question))
        await self.process.answer(question, permission)
        await self.channel.emit(
            Answered(
                id=question.id,
                tool=question.tool,
                allowed=permission.allowed,
                by=by,
                why=None if permission.allowed else permission.why,
                call=question.call,
            )
        )


async def decide(ask: ApprovalCallback | None, question: Question, limit_s: float) -> tuple[Permission, str]:
    """The answer to a question and who gave it: ``caller`` or ``nobody``. An exception of ``ask`` is raised to the run's caller."""
    if ask is None:
        return Permission(allowed=False, why="Nobody is available to allow this"), "nobody"
    try:
        async with asyncio.timeout(limit_s):
            answer = ask(question)
            if inspect.isawaitable(answer):
                answer = await answer
    except TimeoutError:
        return Permission(allowed=False, why=f"Nobody answered within {limit_s:g} s"), "nobody"
    return answer if isinstance(answer, Permission) else Permission(allowed=bool(answer)), "caller"
