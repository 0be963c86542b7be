"""Records what happened in one run, and makes its result and receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import UNANNOUNCED, Batch, Event, ModelFallback, Started, TurnEnded, UsageSeen
from oneseat.contract.facts import SessionInfo
from oneseat.contract.ports import Clock, Provider, ProviderSession
from oneseat.contract.receipt import (
    NO_TOKENS,
    AnswerShape,
    CostSource,
    Evidence,
    PolicyStamp,
    Receipt,
    RunResult,
    SessionStamp,
    TokenUsage,
    Wallet,
    with_parsed,
)
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate, PassedOver
from oneseat.contract.stations import Cleared, Dispatch, Permitted, Refused
from oneseat.rules.billing import gate as billing
from oneseat.rules.inputs import answers, schemas
from oneseat.rules.policy.decide import PolicyView
from oneseat.rules.runs import models, outcome, retry
from oneseat.rules.runs.totals import RunTotals, sum_of_costs, sum_of_usages

from .budgets import CandidateBudget, RunCosts
from .candidate_record import WORST_FIRST, AttemptRecord, CandidateRecord

#: The events that name the model that answers.
_NAMES_MODEL = frozenset({Started, UsageSeen, TurnEnded, ModelFallback})


class RunRecord:
    """Collects what happens in a run; ``result`` is valid at any time."""

    def __init__(self, run_id: str, provider: str, expected_wallet: Wallet, clock: Clock) -> None:
        self.run_id = run_id
        self.permitted: Permitted | None = None
        self.view: PolicyView | None = None
        #: The record of the current candidate.
        self.candidate = CandidateRecord(provider, expected_wallet)
        self._candidates = [self.candidate]
        self._passed_over: list[PassedOver] = []
        self._clock = clock
        self._began = clock.monotonic()
        self._session: SessionStamp | None = None
        self._sessions: list[ProviderSession] = []
        self._failed_with: ErrorInfo | None = None

    @property
    def totals(self) -> RunTotals:
        """The sums of the current attempt's events."""
        return self._now.totals

    @property
    def sent_now(self) -> bool:
        """Whether the prompt of the current attempt was sent."""
        return self._now.dispatch is not None

    @property
    def cost_is_known(self) -> bool:
        """Whether the list price of the run so far is known."""
        return self._list_cost()[0] is not None

    def costs(self, key: str | None) -> RunCosts:
        """What all candidates have cost so far, for a candidate that ``key`` would pay."""
        served = [each for each in self._candidates if each.sent]
        other_keys = sum(each.counted_usd for each in served if each.key != key)
        return RunCosts(self.run_id, sum(each.counted_usd for each in served), other_keys)

    def decided(self, view: PolicyView, permitted: Permitted) -> None:
        """Note that the policy, with the inputs in ``view``, allows the run."""
        self.view, self.permitted = view, permitted

    def routed(
        self,
        provider: Provider,
        candidate: Candidate,
        budget: CandidateBudget,
        passed_over: Sequence[PassedOver],
    ) -> None:
        """Note the candidate that serves from now on, and those that were ``passed_over``."""
        if not self.candidate.sent:
            self._candidates.pop()
        self.candidate = CandidateRecord(provider.name, provider.wallet, candidate, budget)
        self._candidates.append(self.candidate)
        self._passed_over = list(passed_over)

    def next_attempt(self, error: ErrorInfo) -> None:
        """Note that the attempt failed and another one begins, with this candidate or the next one."""
        self._failed_with = error
        self.candidate.next_attempt(error)

    def refuse(self, refused: Refused) -> None:
        """Note that the run was refused."""
        self.candidate.refused = refused

    def opened(self, session: ProviderSession) -> None:
        """Note a started provider, whose stderr is read after it has ended."""
        self._sessions.append(session)

    def asked(self, info: SessionInfo) -> None:
        """Note the provider's capabilities, once it has reported who would pay."""
        self.candidate.capabilities = info

    def cleared(self, cleared: Cleared) -> None:
        """Note that the billing gate and the policy cleared the attempt."""
        self.candidate.cleared = cleared

    def requests_sent(self) -> list[Request]:
        """The requests that were sent to the current candidate, one per attempt."""
        return [each.dispatch.request for each in self.candidate.attempts if each.dispatch is not None]

    def leftovers(self) -> tuple[Event, ...]:
        """The events that exist only after all providers of the run have ended."""
        said = (session.stderr() for session in self._sessions)
        return tuple(stderr for stderr in said if stderr is not None)

    def sent(self, dispatch: Dispatch, session: SessionStamp | None) -> None:
        """Note that the prompt is about to be sent. From now on the run may have a cost."""
        self._now.dispatch = dispatch
        self._session = session
        meter = self.candidate.meter
        if meter is not None:
            meter.attempt()

    def may_say_more(self) -> ErrorInfo | None:
        """Why the run may not send a further message; ``None`` if it may, which also notes that one is about to be sent."""
        meter = self.candidate.meter
        if meter is None:
            return None
        reached = meter.may_send()
        meter.prompt()
        return reached

    def add(self, *events: Event) -> None:
        """Count events."""
        now, meter = self.candidate.now, self.candidate.meter
        for event in events:
            now.totals.add(event)
            if meter is not None:
                meter.add(event)
        self._note_first_text()

    def take(self, batch: Batch) -> tuple[int, ErrorInfo | None]:
        """Count the events of a turn up to the one after which it must end; returns how many, and why it must end."""
        # This runs for hundreds of thousands of events, so it makes as few calls per event as possible.
        meter, add = self.candidate.meter, self.totals.add
        for number, event in enumerate(batch, 1):
            add(event)
            if meter is not None:
                meter.add(event)
            if meter is not None or type(event) in billing.TELLING:
                error = self.stop_reason(event)
                if error is not None:
                    self._note_first_text()
                    return number, error
        self._note_first_text()
        return len(batch), None

    def with_other_models(self, batch: Batch) -> Batch:
        """The batch with a ``ModelFallback`` for each model that answers, is not the one asked for, and was not yet named."""
        if _NAMES_MODEL.isdisjoint(map(type, batch)):
            return batch
        told: list[Event] = []
        for event in batch:
            other = self._other_model(event)
            # The end of a turn stays the last of its batch.
            told += (event,) if other is None else (other, event)
        return told

    def _other_model(self, event: Event) -> ModelFallback | None:
        now = self.candidate.now
        named = now.other_models
        if isinstance(event, ModelFallback):
            named.add(event.fallback)
            return None
        if now.dispatch is None or not isinstance(event, Started | UsageSeen | TurnEnded):
            return None
        subagent = isinstance(event, UsageSeen) and event.subagent is not None
        if event.model is None or subagent or event.model in named:
            return None
        asked = now.dispatch.model
        if models.is_meant(asked, event.model):
            return None
        named.add(event.model)
        return ModelFallback(model=asked, fallback=event.model, cause=UNANNOUNCED, by="provider")

    def _note_first_text(self) -> None:
        now = self.candidate.now
        if now.first_text is None and now.totals.has_text:
            now.first_text = self._clock.monotonic()

    def stop_reason(self, event: Event) -> ErrorInfo | None:
        """Why the turn must end now: another wallet pays, or the run can no longer succeed. ``None`` when it may go on."""
        now, meter = self.candidate.now, self.candidate.meter
        if type(event) in billing.TELLING:
            misbilled = billing.judge_during(event)
            if misbilled is not None:
                return misbilled
            if now.dispatch is not None and isinstance(event, Started):
                return outcome.judge_start(now.dispatch.request, event)
        return meter.objection(event) if meter is not None else None

    def to_check(self) -> tuple[dict[str, Any], Any] | None:
        """The schema and the answer's structure; ``None`` without a schema or when the run failed otherwise."""
        schema = self._schema()
        if schema is None or outcome.judge(self.totals, self.run_id) is not None:
            return None
        return schema, _structure(self._now)

    def checked(self, complaints: list[str]) -> list[str]:
        """Keep what is wrong with the structure of the current attempt's answer, and return it.

        An answer that its schema allows may still not be a value of the caller's own type.
        """
        made = None if complaints else self._made(self._now)
        self._now.complaints = [f"the whole: {made.why}"] if isinstance(made, answers.Refused) else complaints
        return self._now.complaints

    def failure(self) -> ErrorInfo | None:
        """Why an attempt that ended by itself failed; ``None`` if it succeeded or was refused."""
        if self.candidate.refused is not None:
            return None
        error = outcome.judge(self.totals, self.run_id)
        if error is None and self._now.complaints:
            return outcome.schema_unmet(self._now.complaints)
        return error

    def ended_with(self) -> ErrorInfo | None:
        """Why a candidate that ended by itself gave no valid answer; ``None`` if it did."""
        refused = self.candidate.refused
        return refused.error if refused is not None else self.failure()

    def may_have_acted(self, request: Request) -> bool:
        """Whether a tool may have acted in the current attempt."""
        return self.sent_now and self.totals.may_have_acted((*request.tools.names, *request.expected_servers))

    def result(self, error: ErrorInfo | None) -> RunResult:
        """The result of the run; ``error`` is the one that cut it short, if any."""
        error = error or self._refusal() or self.failure()
        if error is not None:
            self.candidate.broke_off(error)
        text, _ = outcome.answer(self._answering.totals)
        structured = _structure(self._answering) if self._schema() is not None else None
        plain = self._shape().plain(structured)
        if plain is not structured and not self._answering.totals.partial_text():
            # The text is the object that held the answer, and nobody was shown it yet.
            text = msgspec.json.encode(plain).decode()
        result = RunResult(
            run_id=self.run_id,
            status=outcome.status_of(error),
            text=text,
            structured=plain,
            error=error,
            session=self._session,
            receipt=self._receipt(),
            denials=tuple(dict.fromkeys(name for it in self._attempts for name in it.totals.denials())),
        )
        if error is not None or self._shape().make is None:
            return result
        return with_parsed(result, self._made(self._answering))

    @property
    def _now(self) -> AttemptRecord:
        return self.candidate.now

    @property
    def _attempts(self) -> list[AttemptRecord]:
        return [attempt for each in self._candidates for attempt in each.attempts]

    @property
    def _sent(self) -> list[AttemptRecord]:
        return [attempt for attempt in self._attempts if attempt.dispatch is not None]

    @property
    def _answering(self) -> AttemptRecord:
        """The attempt whose answer is the result: the last one with an answer, so that a later failure does not lose it."""
        answered = [attempt for attempt in self._attempts if attempt.answered]
        return (answered or self._sent or [self._now])[-1]

    def _refusal(self) -> ErrorInfo | None:
        refused = self.candidate.refused
        if refused is None or self._failed_with is None or not self._sent:
            return refused.error if refused is not None else None
        return retry.not_repeated(self._failed_with, refused.error)

    def _schema(self) -> dict[str, Any] | None:
        dispatch = self._answering.dispatch
        return dispatch.request.schema if dispatch is not None else None

    def _shape(self) -> AnswerShape:
        dispatch = self._answering.dispatch
        return dispatch.request.answer if dispatch is not None else AnswerShape()

    def _made(self, attempt: AttemptRecord) -> object:
        """The answer of an attempt as the caller's own type; ``Refused`` when that type refuses it."""
        ended = attempt.totals.ended
        # Once for each turn: making it runs the caller's own code.
        if attempt.made is None or attempt.made[0] is not ended:
            attempt.made = (ended, answers.made(self._shape(), _structure(attempt)))
        return attempt.made[1]

    def _finding(self) -> tuple[CandidateRecord, billing.Finding]:
        """The candidate with the worst verdict and its finding, which apply to the whole run."""
        answering, served = self._answering, self._telling()
        findings = [(each, each.finding()) for each in served]
        candidate, finding = next(
            pair for pair in findings if answering in pair[0].attempts or pair[0] is served[-1]
        )
        worst_candidate, worst = min(reversed(findings), key=lambda pair: WORST_FIRST.index(pair[1].verdict))
        if worst.verdict == "misbilled":
            return worst_candidate, worst
        return candidate, msgspec.structs.replace(finding, verdict=worst.verdict)

    def _telling(self) -> list[CandidateRecord]:
        """The candidates that matter for the receipt: one that used no tokens proves nothing and charged nothing."""
        sent = [each for each in self._candidates if each.sent] or [self.candidate]
        return [each for each in sent if each.used_something or self._answering in each.attempts] or sent

    def _list_cost(self) -> tuple[float | None, CostSource]:
        costs = [each.list_cost() for each in self._candidates if each.sent]
        if not costs:
            return 0.0, "unknown"
        total = sum_of_costs(cost for cost, _ in costs)
        sources = {source for _, source in costs}
        if total is None or len(sources) == 1:
            return total, costs[-1][1] if total is not None else "unknown"
        return total, "price_table"

    def _evidence(self, finding: billing.Finding) -> tuple[Evidence, ...]:
        passed = (Evidence(f"passed_over:{one.candidate}", one.code, "before") for one in self._passed_over)
        said = (it for attempt in self._attempts for it in attempt.totals.evidence)
        return (*passed, *finding.evidence, *said)

    def _receipt(self) -> Receipt:
        (candidate, finding), sent, first_text = self._finding(), self._sent, self._answering.first_text
        list_cost, source = self._list_cost()
        policy = self.permitted.policy if self.permitted is not None else self._policy_of_refusal()
        limits = (pair for attempt in self._attempts for pair in attempt.totals.limits.items())
        return Receipt(
            provider=candidate.provider,
            model=self._model(),
            wallet=finding.wallet,
            expected_wallet=candidate.expected,
            verdict=finding.verdict,
            evidence=self._evidence(finding),
            usage=self._usage(),
            web_searches=sum(attempt.totals.web_searches for attempt in sent) or UNSET,
            cost_usd=sum_of_costs(each.charged() for each in self._telling()),
            equivalent_cost_usd=list_cost,
            cost_source=source,
            limits=tuple(dict(limits).values()),
            policy=policy,
            cli_version=candidate.capabilities.cli_version,
            attempts=len(sent),
            first_token_ms=self._since_start(first_text) if first_text is not None else None,
            duration_ms=self._since_start(self._clock.monotonic()),
            requested_model=self._requested_model(candidate),
        )

    def _policy_of_refusal(self) -> PolicyStamp | None:
        refused = self.candidate.refused
        return refused.policy if refused is not None else None

    def _model(self) -> str | None:
        answering = self._answering
        ended, started = answering.totals.ended, answering.totals.started
        if ended is not None and ended.model is not None:
            return ended.model
        if started is not None and started.model is not None:
            return started.model
        return answering.dispatch.model if answering.dispatch is not None else None

    def _requested_model(self, candidate: CandidateRecord) -> str | None:
        """What the candidate was asked for at first, where another model has answered."""
        answered = self._model()
        if not candidate.sent or answered is None:
            return None
        asked = candidate.sent[0].dispatch
        return asked.model if asked is not None and not models.is_meant(asked.model, answered) else None

    def _usage(self) -> TokenUsage:
        if not self._sent:
            return NO_TOKENS
        return sum_of_usages(attempt.totals.usage or TokenUsage() for attempt in self._sent)

    def _since_start(self, moment: float) -> int:
        return round((moment - self._began) * 1000)


def _structure(attempt: AttemptRecord) -> Any:
    text, structured = outcome.answer(attempt.totals)
    return schemas.structure_of(structured, text)
