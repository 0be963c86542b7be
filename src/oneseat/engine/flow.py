"""One run, top to bottom: policy, candidate, session, budget, billing gate, routing, provider. Every step emits its own events.

Request -> decide -> Permitted -> reserve -> Budgeted -> clear -> Cleared -> dispatch -> Dispatch -> send
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import ModelFallback, Progress, Retry, Routed, WalletVerified
from oneseat.contract.ports import Provider, ProviderSession, Slot
from oneseat.contract.request import ApprovalCallback, Request
from oneseat.contract.routing import Candidate, Outcome, PassedOver
from oneseat.contract.stations import Budgeted, Cleared, Dispatch, Permitted, Refused
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.policy import decide as policy
from oneseat.rules.routing import candidates as routing
from oneseat.rules.routing.candidates import CandidateFailure
from oneseat.rules.runs import retry, sessions
from oneseat.rules.runs.retry import FallBack, GiveUp, Heal, Repeat

from . import availability
from .budgets import CandidateBudget
from .channel import EventChannel
from .deps import RunDeps
from .limits import check_windows
from .policy import confirm, record_decision
from .record import RunRecord
from .sessions import Conversation, open_conversation
from .turns import Turns
from .watchdog import Timeouts, Watchdog


class Run(NamedTuple):
    """The objects that every step of one run needs."""

    deps: RunDeps
    request: Request
    record: RunRecord
    channel: EventChannel
    watchdog: Watchdog
    ask: ApprovalCallback | None


async def flow(
    deps: RunDeps, request: Request, record: RunRecord, channel: EventChannel, ask: ApprovalCallback | None
) -> None:
    """Do one run with the first candidate that can serve it, or with the next one if that fails.

    Returns when the outcome is in ``record``. Raises ``OneseatError`` for failures of a provider, the watchdog or the
    ledger.
    """
    run = Run(deps, request, record, channel, Watchdog(_timeouts(deps, request)), ask)
    await deps.ledger.begin(record.run_id, request, deps.provider.name)
    permitted = await decide(run)
    if isinstance(permitted, Refused):
        record.refuse(permitted)
        return
    candidates = routing.candidates(request, deps.routes)
    if isinstance(candidates, ErrorInfo):
        record.refuse(Refused(error=candidates, policy=permitted.policy))
        return
    failures: list[CandidateFailure] = []
    for candidate in candidates:
        if not routing.goes_on(failures, candidate):
            break
        alone = len(candidates) == 1
        provider, failure = await availability.check(deps, candidate, permitted, alone=alone, record=record)
        if provider is not None and failure is None:
            failure = await try_candidate(run, provider, candidate, permitted, failures, alone=alone)
            if failure is None:
                return
        if failure is not None:
            failures.append(failure)
    fail(record, permitted, failures)


async def decide(run: Run) -> Permitted | Refused:
    """Decide whether the policy allows the run and what may pay. The decision is in the ledger when this returns."""
    deps, record = run.deps, run.record
    nesting_error = sessions.nesting_error(deps.nesting)
    if nesting_error is not None:
        return Refused(error=nesting_error)
    view = await deps.policy.view(deps.provider)
    decision = policy.decide(run.request, view)
    await record_decision(deps.ledger, record.run_id, decision)
    if isinstance(decision, Permitted):
        record.decided(view, decision)
    return decision


async def try_candidate(
    run: Run,
    provider: Provider,
    candidate: Candidate,
    permitted: Permitted,
    failures: Sequence[CandidateFailure],
    *,
    alone: bool,
) -> CandidateFailure | None:
    """Serve the run with a candidate, after the ``failures`` of others. Returns why it failed, if it did."""
    deps, record = run.deps, run.record
    budget = await route(run, provider, candidate, failures, alone=alone)
    try:
        error = await serve(run, provider, policy.for_candidate(permitted, candidate), budget)
    except OneseatError as raised:
        error = raised.info
    if not record.cost_is_known:
        # The whole reservation would count as the cost now, so reduce it to what was answered.
        await budget.shrink_reservation()
    if not alone:
        outcome = Outcome(deps.windows.now(), error.code if error is not None else None)
        await deps.outcomes.note_outcome(candidate, outcome)
    if error is None:
        return None
    return CandidateFailure(candidate, error, served=True, acted=record.may_have_acted(permitted.request))


async def route(
    run: Run,
    provider: Provider,
    candidate: Candidate,
    failures: Sequence[CandidateFailure],
    *,
    alone: bool,
) -> CandidateBudget:
    """Record which candidate serves now, and emit an event if there was a choice. Returns its budget."""
    deps, record = run.deps, run.record
    left = failures[-1].error if failures and failures[-1].served else None
    if left is not None and record.sent_now:
        record.next_attempt(left)
    costs, now = record.costs(candidate.key), deps.windows.now()
    passed_over = [routing.passed_over(each.candidate, each.error, now) for each in failures]
    budget = CandidateBudget(deps.budgets, candidate, provider.wallet, run.request, costs)
    record.routed(provider, candidate, budget, passed_over)
    if not alone or candidate != deps.routes.seat:
        await deps.ledger.routed(
            record.run_id, provider.name, candidate.paid_from, candidate.key, costs.before_usd
        )
    if not alone:
        cause = left.code if left is not None else None
        await run.channel.emit(_routed(provider, candidate, run.request, cause, passed_over))
    return budget


async def serve(
    run: Run, provider: Provider, permitted: Permitted, budget: CandidateBudget
) -> ErrorInfo | None:
    """Serve the run with one candidate. Returns or raises the error if it gave no valid answer."""
    deps, record = run.deps, run.record
    near = await check_windows(deps.windows, permitted, provider)
    if isinstance(near, Refused):
        record.refuse(near)
        return near.error
    if near is not None:
        await run.channel.emit(near)
    await deps.admit(provider.name)
    async with _conversation(run, provider) as conversation:
        with run.watchdog.watching(conversation.written_bytes):
            async with _run_slot(run, provider) as slot:
                await wait_for_slot(run, slot)
                budgeted = await budget.reserve(permitted)
                if isinstance(budgeted, Refused):
                    record.refuse(budgeted)
                    return budgeted.error
                return await attempts(run, provider, budgeted, conversation, budget)


async def attempts(
    run: Run, provider: Provider, budgeted: Budgeted, conversation: Conversation, budget: CandidateBudget
) -> ErrorInfo | None:
    """Make attempts until one succeeds, is refused or must not be retried. Returns the error of an invalid answer."""
    deps, record = run.deps, run.record
    earlier: tuple[str, ...] = ()
    waited_s = 0.0
    while (error := await attempt(run, provider, budgeted, conversation, budget)) is not None:
        failure = retry.Failure(
            error=error,
            sent=record.sent_now,
            acted=record.may_have_acted(budgeted.request),
            continued=conversation.continued,
            earlier=earlier,
            pause_s=record.totals.pause_s,
            waited_s=waited_s,
            time_left_s=run.watchdog.time_left_s,
            fallback=budgeted.request.fallback_model,
        )
        step = retry.decide(failure, deps.retry, deps.chance())
        if isinstance(step, GiveUp):
            return error
        if isinstance(step, Repeat):
            earlier, waited_s = (*earlier, error.code), waited_s + step.delay_s
        record.next_attempt(error)
        budgeted = await prepare(run, provider, step, error, budgeted, conversation, len(earlier))
    return record.ended_with()


async def prepare(
    run: Run,
    provider: Provider,
    step: Heal | FallBack | Repeat,
    error: ErrorInfo,
    budgeted: Budgeted,
    conversation: Conversation,
    repetition: int,
) -> Budgeted:
    """Get ready for the next attempt: heal the conversation, fall back to another model, or pause."""
    run.watchdog.restart()
    match step:
        case Heal(reason):
            await conversation.heal(reason)
        case FallBack(model):
            conversation.repeat()
            asked = budgeted.request.model or provider.default_model
            await run.channel.emit(ModelFallback(model=asked, fallback=model, cause=error.code))
            return bounds.with_model(budgeted, model)
        case Repeat(delay_s):
            conversation.repeat()
            await run.channel.emit(
                Retry(
                    attempt=repetition,
                    max_attempts=run.deps.retry.max_attempts,
                    delay_s=delay_s,
                    status=None,
                    cause=error.code,
                    by="oneseat",
                )
            )
            await run.watchdog.pause(delay_s)
    return budgeted


async def attempt(
    run: Run, provider: Provider, budgeted: Budgeted, conversation: Conversation, budget: CandidateBudget
) -> ErrorInfo | None:
    """Send the prompt once, with a separate process. Returns why that failed; ``None`` also when it was refused."""
    record = run.record
    try:
        async with _start_slot(run, provider) as start:
            await wait_for_slot(run, start)
            async with provider.open(budgeted.permitted, record.run_id, conversation.stamp) as process:
                record.opened(process)
                dispatch = await gate(run, provider, process, budgeted, conversation, budget)
                if isinstance(dispatch, Refused):
                    record.refuse(dispatch)
                    return None
                turns = Turns(
                    process,
                    start,
                    budget,
                    record,
                    run.channel,
                    run.watchdog,
                    run.ask,
                    run.deps.check_answer,
                )
                await send(run, turns, dispatch, conversation)
    except OneseatError as failure:
        return failure.info
    return record.failure()


async def gate(
    run: Run,
    provider: Provider,
    process: ProviderSession,
    budgeted: Budgeted,
    conversation: Conversation,
    budget: CandidateBudget,
) -> Dispatch | Refused:
    """Determine who would pay, which model gets the prompt, and whether the budget covers it. Sends nothing."""
    record, wait = run.record, run.watchdog.wait
    facts = await wait(process.credential_facts())
    record.asked(process.info)
    cleared = billing.clear(budgeted, facts, provider.wallet)
    if isinstance(cleared, Cleared):
        cleared = await confirm(run.deps.ledger, record, cleared, facts)
    if isinstance(cleared, Refused):
        return cleared
    record.cleared(cleared)
    model = budgeted.request.model or provider.default_model
    dispatch = routing.dispatch(cleared, provider.name, model, process.info, conversation.brief)
    if isinstance(dispatch, Dispatch):
        dispatch = await budget.check(dispatch)
    while isinstance(dispatch, Dispatch) and not await wait(process.ready()):
        pass
    return dispatch


async def send(run: Run, turns: Turns, dispatch: Dispatch, conversation: Conversation) -> None:
    """Write the dispatch to the ledger, send the prompt, and pass on the events."""
    cleared = dispatch.cleared
    await run.channel.emit(WalletVerified(wallet=cleared.wallet, evidence=cleared.evidence))
    renewed = conversation.news()
    if renewed is not None:
        await run.channel.emit(renewed)
    await conversation.sent()
    # Nothing is awaited from here to the first byte of the prompt: what is not changed now is in force when it leaves.
    turns.check_payer(sent=False)
    run.watchdog.sent(turns.payer_objection)
    run.record.sent(dispatch, conversation.stamp)
    await turns.run(dispatch)


def fail(record: RunRecord, permitted: Permitted, failures: Sequence[CandidateFailure]) -> None:
    """No candidate served: report the first one's error and why the others were skipped."""
    first, refused = failures[0], record.candidate.refused
    error = routing.no_candidate_error(failures)
    if not (first.missing or any(each.served for each in failures)):
        record.refuse(Refused(error=error, policy=permitted.policy))
    elif len(failures) > 1 or refused is None or refused.error is not first.error:
        raise OneseatError(error)


async def wait_for_slot(run: Run, slot: Slot) -> None:
    """Wait for a free slot, and emit an event if that takes time."""
    if not slot.taken:
        await run.channel.emit(Progress(state="queued"))
        await run.watchdog.idle(slot.wait())


def _run_slot(run: Run, provider: Provider) -> AbstractAsyncContextManager[Slot]:
    # Slots limit the memory of processes; a request that is sent from this process takes almost none.
    return run.deps.slots.run() if provider.features.process else nullcontext(NO_SLOT)


def _start_slot(run: Run, provider: Provider) -> AbstractAsyncContextManager[Slot]:
    # Two processes that renew one login at the same time sign each other out.
    if not provider.features.process:
        return nullcontext(NO_SLOT)
    return run.deps.slots.start(provider.name, run.request.cwd)


def _conversation(run: Run, provider: Provider) -> AbstractAsyncContextManager[Conversation]:
    deps = run.deps
    return open_conversation(
        deps.sessions,
        run.request,
        run.record.run_id,
        deps.clock,
        provider=provider,
        seat=partial(deps.providers.of, deps.routes.seat),
    )


def _routed(
    provider: Provider,
    candidate: Candidate,
    request: Request,
    cause: str | None,
    passed_over: Sequence[PassedOver],
) -> Routed:
    return Routed(
        provider=provider.name,
        model=availability.model_of(candidate, provider, request),
        paid_from=candidate.paid_from,
        key=candidate.key,
        role=request.role,
        cause=cause,
        passed_over=tuple(passed_over),
    )


def _timeouts(deps: RunDeps, request: Request) -> Timeouts:
    if request.timeout_s is None:
        return deps.timeouts
    return msgspec.structs.replace(deps.timeouts, total=request.timeout_s)


class _NoSlot:
    """A slot for providers that need none."""

    taken = True

    async def wait(self) -> None:
        """Return at once."""

    def release(self) -> None:
        """Do nothing."""


NO_SLOT: Slot = _NoSlot()
