"""The candidates of one run, in the order they are wanted: the first that can serve does, and when it fails, the next."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple, TypeAlias

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Routed
from oneseat.contract.ports import Provider
from oneseat.contract.request import Permitted, Refused, Request
from oneseat.contract.routing import Candidate, Outcome, PassedOver
from oneseat.rules import routing

from .parts import Parts
from .record import RunRecord
from .spending import give_back
from .standing import look, model_of

#: Serves a request with the provider of its parts.
Serve: TypeAlias = Callable[[Parts, Permitted], AsyncGenerator[Batch, None]]


class _Failure(NamedTuple):
    """A candidate that does not serve. ``raised`` is what it ended with, where it began to."""

    candidate: Candidate
    error: ErrorInfo
    raised: OneseatError | None = None
    served: bool = False
    acted: bool = False


class Candidates:
    """Serves a run with the first candidate that can, by ``serve``."""

    def __init__(self, parts: Parts, record: RunRecord, serve: Serve) -> None:
        self._parts = parts
        self._record = record
        self._serve = serve
        self._failures: list[_Failure] = []

    async def all(self, permitted: Permitted) -> AsyncGenerator[Batch, None]:
        """The events of all that served. Ends normally when the record knows the end; raises what the last one raised."""
        wanted = routing.candidates(permitted.request, self._parts.routes)
        if isinstance(wanted, ErrorInfo):
            self._record.refuse(Refused(error=wanted, policy=permitted.policy))
            return
        for candidate in wanted:
            if self._stays(candidate):
                break
            provider = await self._provider(candidate, permitted, alone=len(wanted) == 1)
            if provider is None:
                continue
            async with aclosing(self._with(provider, candidate, permitted, len(wanted))) as events:
                async for batch in events:
                    yield batch
            if not (self._failures and self._failures[-1].candidate is candidate):
                return
        self._conclude(permitted)

    def _stays(self, to: Candidate) -> bool:
        """Whether the failure of a candidate before is the run's, rather than a reason to ask this one."""
        return not all(
            routing.moves_on(one.error, left=one.candidate, to=to, acted=one.acted)
            if one.served
            else one.raised is None or routing.passes(one.error, left=one.candidate, to=to)
            for one in self._failures
        )

    async def _provider(self, candidate: Candidate, permitted: Permitted, *, alone: bool) -> Provider | None:
        """The provider of a candidate that serves now; ``None`` for one that is passed over."""
        looked = await look(self._parts, candidate, permitted, alone=alone, record=self._record)
        if looked.error is None:
            return looked.provider
        self._failures.append(_Failure(candidate, looked.error, looked.raised))
        return None

    async def _with(
        self, provider: Provider, candidate: Candidate, permitted: Permitted, of: int
    ) -> AsyncGenerator[Batch, None]:
        """Serve with one candidate. A failure of it is noted; the record knows how it ended otherwise."""
        cause = self._left()
        self._record.routed(provider, candidate, self._passed_over())
        if of > 1 or candidate != self._parts.routes.seat:
            await self._parts.ledger.routed(
                self._record.run_id,
                provider.name,
                candidate.paid_from,
                candidate.key,
                self._record.spent_usd,
            )
        if of > 1:
            yield await self._announced(provider, candidate, permitted.request, cause)
        raised: OneseatError | None = None
        serving = self._serve(self._parts._replace(provider=provider), _for(candidate, permitted))
        try:
            async with aclosing(serving) as events:
                async for batch in events:
                    yield batch
        except OneseatError as failure:
            raised = failure
        error = raised.info if raised is not None else self._record.ended_with()
        if not self._record.cost_is_known:
            # It counts with what is reserved for it: of that, what was answered costs what it did.
            await give_back(self._parts.purse, self._record)
        if of > 1:
            code = error.code if error is not None else None
            await self._parts.outcomes.note_outcome(candidate, Outcome(self._parts.room.now(), code))
        if error is not None:
            acted = self._record.may_have_acted(permitted.request)
            self._failures.append(_Failure(candidate, error, raised, served=True, acted=acted))

    def _left(self) -> str | None:
        if not (self._failures and self._failures[-1].served):
            return None
        failed = self._failures[-1].error
        if self._record.sent_now:
            self._record.again(failed)
        return failed.code

    async def _announced(
        self, provider: Provider, candidate: Candidate, request: Request, cause: str | None
    ) -> Batch:
        event = Routed(
            provider=provider.name,
            model=model_of(candidate, provider, request),
            paid_from=candidate.paid_from,
            key=candidate.key,
            role=request.role,
            cause=cause,
            passed_over=tuple(self._passed_over()),
        )
        await self._parts.ledger.record(self._record.run_id, event)
        return (event,)

    def _passed_over(self) -> Sequence[PassedOver]:
        now = self._parts.room.now()
        return [routing.passed_over(one.candidate, one.error, now) for one in self._failures]

    def _conclude(self, permitted: Permitted) -> None:
        """Nobody served: the failure of the candidate that was wanted most is the run's, and what kept the others is told."""
        error = routing.nobody([(one.candidate, one.error) for one in self._failures])
        first = self._failures[0]
        if not any(one.served for one in self._failures) and first.raised is None:
            self._record.refuse(Refused(error=error, policy=permitted.policy))
            return
        if len(self._failures) == 1:
            if first.raised is not None:
                raise first.raised
            return
        raise OneseatError(error)


def _for(candidate: Candidate, permitted: Permitted) -> Permitted:
    """The request as this candidate gets it."""
    request = permitted.request
    on_plan = candidate.paid_from == "plan"
    changed = msgspec.structs.replace(
        request,
        model=candidate.model or request.model,
        # A name that only the official CLI knows.
        fallback_model=request.fallback_model if on_plan else None,
    )
    return msgspec.structs.replace(permitted, request=changed)
