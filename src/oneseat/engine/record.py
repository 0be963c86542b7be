"""What is known of one run and its attempts, and the result and receipt made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Started
from oneseat.contract.ports import Clock, Provider, ProviderSession
from oneseat.contract.receipt import (
    NO_TOKENS,
    CostSource,
    Evidence,
    PolicyStamp,
    Receipt,
    RunResult,
    SessionStamp,
    TokenUsage,
    Wallet,
)
from oneseat.contract.request import Permitted, Plan, Refused, Request
from oneseat.contract.routing import Candidate, PassedOver
from oneseat.rules import billing
from oneseat.rules.inputs import schemas
from oneseat.rules.metering import Tally, sum_of_costs, sum_of_usages
from oneseat.rules.policy.decide import PolicyView
from oneseat.rules.runs import outcome, retry

from .leg import WORST_FIRST, AttemptRecord, Leg


class RunRecord:
    """Collects what happens to a run; ``settle`` turns it into the result. Safe to settle at any moment."""

    def __init__(self, run_id: str, provider: str, expected_wallet: Wallet, clock: Clock) -> None:
        self.run_id = run_id
        self.permitted: Permitted | None = None
        self.view: PolicyView | None = None
        #: The part of the candidate that serves now.
        self.leg = Leg(provider, expected_wallet)
        self._legs = [self.leg]
        self._passed_over: list[PassedOver] = []
        self._clock = clock
        self._began = clock.monotonic()
        self._session: SessionStamp | None = None
        self._sessions: list[ProviderSession] = []
        self._failed_with: ErrorInfo | None = None

    @property
    def tally(self) -> Tally:
        """What the attempt that goes on has told."""
        return self._now.tally

    @property
    def sent_now(self) -> bool:
        """Whether the prompt of the attempt that goes on has left."""
        return self._now.plan is not None

    @property
    def spent_usd(self) -> float:
        """The list price of all candidates before this one, in US dollars."""
        return sum(leg.counted_usd for leg in self._legs[:-1])

    @property
    def elsewhere_usd(self) -> float:
        """How much of that the key did not pay that serves now."""
        return sum(leg.counted_usd for leg in self._legs[:-1] if leg.key != self.leg.key)

    @property
    def cost_is_known(self) -> bool:
        """Whether the list price of the run so far is known."""
        return self._list_cost()[0] is not None

    def used_before(self, key: str | None) -> tuple[float, float]:
        """The list price of all candidates so far, and how much of that ``key`` did not pay, in US dollars."""
        legs = [leg for leg in self._legs if leg.sent]
        return sum(leg.counted_usd for leg in legs), sum(leg.counted_usd for leg in legs if leg.key != key)

    def routed(self, provider: Provider, candidate: Candidate, passed_over: Sequence[PassedOver]) -> None:
        """A candidate begins to serve, because those of ``passed_over`` do not."""
        if not self.leg.sent:
            self._legs.pop()
        self.leg = Leg(provider.name, provider.wallet, candidate.paid_from, candidate.key)
        self._legs.append(self.leg)
        self._passed_over = list(passed_over)

    def again(self, error: ErrorInfo) -> None:
        """The attempt failed, and another one begins, with this candidate or another one."""
        self._failed_with = error
        self.leg.again(error)

    def refuse(self, refused: Refused) -> None:
        """A station said no."""
        self.leg.refused = refused

    def opened(self, session: ProviderSession) -> None:
        """A provider was started; what it printed is looked at when it is gone."""
        self._sessions.append(session)

    def leftovers(self) -> tuple[Event, ...]:
        """What is known only after every provider of the run is gone."""
        said = (session.stderr() for session in self._sessions)
        return tuple(stderr for stderr in said if stderr is not None)

    def sent(self, plan: Plan, session: SessionStamp | None) -> None:
        """The prompt is about to leave: from here on something may have been spent."""
        self._now.plan = plan
        self._session = session
        if self.leg.meter is not None:
            self.leg.meter.attempt()

    def may_say_more(self) -> ErrorInfo | None:
        """Why no further message may be sent in the run; ``None`` when one may, and then it is about to be."""
        meter = self.leg.meter
        if meter is None:
            return None
        reached = meter.may_send()
        meter.prompt()
        return reached

    def add(self, event: Event) -> None:
        """Take one event in."""
        now, meter = self.leg.now, self.leg.meter
        now.tally.add(event)
        if meter is not None:
            meter.add(event)
        if now.first_text is None and now.tally.has_text:
            now.first_text = self._clock.monotonic()

    def objection(self, event: Event) -> ErrorInfo | None:
        """Why the turn must end now: another wallet pays, or the run cannot succeed any more. ``None`` when it may go on."""
        now, meter = self.leg.now, self.leg.meter
        if type(event) in billing.TELLING:
            misbilled = billing.judge_during(event)
            if misbilled is not None:
                return misbilled
            if now.plan is not None and isinstance(event, Started):
                return outcome.judge_start(now.plan.cleared.permitted.request, event)
        return meter.objection(event) if meter is not None else None

    def schema_complaints(self) -> list[str]:
        """What is wrong with the answer's structure; nothing when no schema was asked for or the run failed otherwise."""
        schema = self._schema()
        if schema is None or outcome.judge(self.tally, self.run_id) is not None:
            return []
        return schemas.schema_errors(schema, _structure(self._now))

    def complaint(self) -> ErrorInfo | None:
        """Why the attempt that ended by itself is no success; ``None`` when it is, or when a station said no."""
        if self.leg.refused is not None:
            return None
        error = outcome.judge(self.tally, self.run_id)
        if error is None and (found := self.schema_complaints()):
            return outcome.schema_unmet(found)
        return error

    def ended_with(self) -> ErrorInfo | None:
        """Why the candidate that ended by itself gave no answer to trust; ``None`` when it did."""
        return self.leg.refused.error if self.leg.refused is not None else self.complaint()

    def may_have_acted(self, request: Request) -> bool:
        """Whether a tool may have acted in the attempt that goes on."""
        return self.sent_now and self.tally.may_have_acted((*request.tools.names, *request.expected_servers))

    def settle(self, error: ErrorInfo | None) -> RunResult:
        """The result of the run, given the error that cut it short, if one did."""
        error = error or self._refusal() or self.complaint()
        if error is not None:
            self.leg.broke_off(error)
        text, _ = outcome.answer(self._told.tally)
        structured = _structure(self._told) if self._schema() is not None else None
        return RunResult(
            run_id=self.run_id,
            status=outcome.status_of(error),
            text=text,
            structured=structured,
            error=error,
            session=self._session,
            receipt=self._receipt(),
            denials=tuple(dict.fromkeys(name for it in self._attempts for name in it.tally.denials())),
        )

    @property
    def _now(self) -> AttemptRecord:
        return self.leg.now

    @property
    def _attempts(self) -> list[AttemptRecord]:
        return [attempt for leg in self._legs for attempt in leg.attempts]

    @property
    def _sent(self) -> list[AttemptRecord]:
        return [attempt for attempt in self._attempts if attempt.plan is not None]

    @property
    def _told(self) -> AttemptRecord:
        """The attempt whose answer is the run's: the last one that gave any, so that none is lost to a worse one."""
        answered = [attempt for attempt in self._attempts if attempt.answered]
        return (answered or self._sent or [self._now])[-1]

    def _refusal(self) -> ErrorInfo | None:
        refused = self.leg.refused
        if refused is None or self._failed_with is None or not self._sent:
            return refused.error if refused is not None else None
        return retry.not_repeated(self._failed_with, refused.error)

    def _schema(self) -> dict[str, Any] | None:
        plan = self._told.plan
        return plan.cleared.permitted.request.schema if plan is not None else None

    def _finding(self) -> tuple[Leg, billing.Finding]:
        """The candidate that answers for the run, with who paid; the worst proof of all of them counts."""
        told, legs = self._told, self._telling_legs()
        findings = [(leg, leg.finding()) for leg in legs]
        leg, finding = next(pair for pair in findings if told in pair[0].attempts or pair[0] is legs[-1])
        worst_leg, worst = min(reversed(findings), key=lambda pair: WORST_FIRST.index(pair[1].verdict))
        if worst.verdict == "misbilled":
            return worst_leg, worst
        return leg, msgspec.structs.replace(finding, verdict=worst.verdict)

    def _telling_legs(self) -> list[Leg]:
        sent = [leg for leg in self._legs if leg.sent] or [self.leg]
        # A candidate that used nothing before it was left proves nothing, and charged nothing.
        return [leg for leg in sent if leg.used_something or self._told in leg.attempts] or sent

    def _list_cost(self) -> tuple[float | None, CostSource]:
        costs = [leg.list_cost() for leg in self._legs if leg.sent]
        if not costs:
            return 0.0, "unknown"
        total = sum_of_costs(cost for cost, _ in costs)
        sources = {source for _, source in costs}
        if total is None or len(sources) == 1:
            return total, costs[-1][1] if total is not None else "unknown"
        return total, "price_table"

    def _evidence(self, finding: billing.Finding) -> tuple[Evidence, ...]:
        passed = (Evidence(f"passed_over:{one.candidate}", one.code, "before") for one in self._passed_over)
        said = (said for attempt in self._attempts for said in attempt.tally.evidence)
        return (*passed, *finding.evidence, *said)

    def _receipt(self) -> Receipt:
        (leg, finding), sent, first_text = self._finding(), self._sent, self._told.first_text
        list_cost, source = self._list_cost()
        policy = self.permitted.policy if self.permitted is not None else self._policy_of_refusal()
        limits = (pair for attempt in self._attempts for pair in attempt.tally.limits.items())
        return Receipt(
            provider=leg.provider,
            model=self._model(),
            wallet=finding.wallet,
            expected_wallet=leg.expected,
            verdict=finding.verdict,
            evidence=self._evidence(finding),
            usage=self._usage(),
            cost_usd=sum_of_costs(each.charged() for each in self._telling_legs()),
            equivalent_cost_usd=list_cost,
            cost_source=source,
            limits=tuple(dict(limits).values()),
            policy=policy,
            cli_version=leg.capabilities.cli_version,
            attempts=len(sent),
            first_token_ms=self._since_start(first_text) if first_text is not None else None,
            duration_ms=self._since_start(self._clock.monotonic()),
        )

    def _policy_of_refusal(self) -> PolicyStamp | None:
        return self.leg.refused.policy if self.leg.refused is not None else None

    def _model(self) -> str | None:
        told = self._told
        ended, started = told.tally.ended, told.tally.started
        if ended is not None and ended.model is not None:
            return ended.model
        if started is not None and started.model is not None:
            return started.model
        return told.plan.model if told.plan is not None else None

    def _usage(self) -> TokenUsage:
        if not self._sent:
            return NO_TOKENS
        return sum_of_usages(attempt.tally.usage or TokenUsage() for attempt in self._sent)

    def _since_start(self, moment: float) -> int:
        return round((moment - self._began) * 1000)


def _structure(attempt: AttemptRecord) -> Any:
    text, structured = outcome.answer(attempt.tally)
    return schemas.structure_of(structured, text)
