"""The attempts of one run: each is a new process of the provider, asked again who pays. What may repeat is decided by the rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import NamedTuple, TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Event, ModelFallback, Retry
from oneseat.contract.permission import Asker
from oneseat.contract.request import Permitted
from oneseat.rules.runs import retry
from oneseat.rules.runs.retry import FallBack, GiveUp, Heal, Repeat

from .conversation import Conversation
from .parts import Parts
from .record import RunRecord
from .watchdog import Watchdog


class Surroundings(NamedTuple):
    """What all attempts of a run share."""

    parts: Parts
    record: RunRecord
    conversation: Conversation
    watchdog: Watchdog
    ask: Asker | None


Attempt: TypeAlias = Callable[[Surroundings, Permitted], AsyncGenerator[Batch, None]]


class Attempts:
    """Makes attempts with ``attempt`` until one of them succeeds or must not be repeated."""

    def __init__(self, around: Surroundings, attempt: Attempt) -> None:
        self._around = around
        self._attempt = attempt
        self._repeated_after: list[str] = []
        self._waited_s = 0.0

    async def all(self, permitted: Permitted) -> AsyncGenerator[Batch, None]:
        """The events of all attempts. Ends normally when the record knows the end; raises what the last attempt raised."""
        while True:
            raised: OneseatError | None = None
            try:
                async with aclosing(self._attempt(self._around, permitted)) as events:
                    async for batch in events:
                        yield batch
            except OneseatError as failure:
                raised = failure
            error = raised.info if raised is not None else self._around.record.complaint()
            if error is None:
                return
            verdict = self._verdict(error, permitted)
            if isinstance(verdict, GiveUp):
                if raised is not None:
                    raise raised
                return
            self._around.record.again(error)
            async for batch in self._prepared(verdict, error, permitted):
                yield batch
            if isinstance(verdict, FallBack):
                permitted = _with_model(permitted, verdict.model)

    def _verdict(self, error: ErrorInfo, permitted: Permitted) -> retry.Verdict:
        parts, record, conversation, watchdog, _ = self._around
        request = permitted.request
        failure = retry.Failure(
            error=error,
            sent=record.sent_now,
            acted=record.may_have_acted(request),
            continued=conversation.continued,
            earlier=tuple(self._repeated_after),
            pause_s=record.tally.pause_s,
            waited_s=self._waited_s,
            time_left_s=watchdog.time_left_s,
            fallback=request.fallback_model,
        )
        return retry.decide(failure, parts.retry, parts.chance())

    async def _prepared(
        self, verdict: retry.Verdict, error: ErrorInfo, permitted: Permitted
    ) -> AsyncGenerator[Batch, None]:
        """Say what is done next and make it ready, with the pause it takes."""
        parts, conversation, watchdog = self._around.parts, self._around.conversation, self._around.watchdog
        watchdog.restart()
        match verdict:
            case Heal(reason):
                await conversation.heal(reason)
            case FallBack(model):
                conversation.repeat()
                asked = permitted.request.model or parts.provider.default_model
                yield await record_event(
                    self._around, ModelFallback(model=asked, fallback=model, cause=error.code)
                )
            case Repeat(delay_s):
                conversation.repeat()
                self._repeated_after.append(error.code)
                self._waited_s += delay_s
                yield await record_event(self._around, self._announced(error, delay_s))
                await watchdog.pause(delay_s)
            case _:
                pass

    def _announced(self, error: ErrorInfo, delay_s: float) -> Retry:
        return Retry(
            attempt=len(self._repeated_after),
            max_attempts=self._around.parts.retry.max_attempts,
            delay_s=delay_s,
            status=None,
            cause=error.code,
            by="oneseat",
        )


async def record_event(around: Surroundings, event: Event) -> Batch:
    """Meter and write an event of oneseat's own, and return it to be passed on."""
    around.record.add(event)
    await around.parts.ledger.record(around.record.run_id, event)
    return (event,)


def _with_model(permitted: Permitted, model: str) -> Permitted:
    # What policy decides on is who asks and who reads: another model changes nothing of it.
    request = msgspec.structs.replace(permitted.request, model=model, fallback_model=None)
    return msgspec.structs.replace(permitted, request=request)
