"""What is known of one run and its attempts, and the result and receipt made of it."""

from __future__ import annotations

from typing import Any

from oneseat.contract.budget import Cap
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Started
from oneseat.contract.facts import Capabilities
from oneseat.contract.ports import Clock, ProviderSession
from oneseat.contract.receipt import (
    NO_TOKENS,
    CostSource,
    Receipt,
    RunResult,
    SessionStamp,
    TokenUsage,
    Wallet,
)
from oneseat.contract.request import Cleared, Permitted, Plan, Refused
from oneseat.rules import billing, outcome, retry, schemas
from oneseat.rules.budget import Meter
from oneseat.rules.metering import Tally, sum_of_costs, sum_of_usages

#: Which proof of a run counts when its attempts have several.
_WORST_FIRST = ("misbilled", "unverified", "verified", "nothing_sent")


class AttemptRecord:
    """What is known of one attempt. ``plan`` is ``None`` until its prompt leaves."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.tally = Tally()
        self.first_text: float | None = None

    @property
    def answered(self) -> bool:
        """Whether anything of an answer came."""
        text, structured = outcome.answer(self.tally)
        return bool(text.strip()) or structured is not None


class RunRecord:
    """Collects what happens to a run; ``settle`` turns it into the result. Safe to settle at any moment."""

    def __init__(self, run_id: str, provider: str, expected_wallet: Wallet, clock: Clock) -> None:
        self.run_id = run_id
        self.permitted: Permitted | None = None
        self.cleared: Cleared | None = None
        self.capabilities = Capabilities()
        self.refused: Refused | None = None
        self.cap: Cap | None = None
        self.meter: Meter | None = None
        self._provider = provider
        self._expected_wallet = expected_wallet
        self._clock = clock
        self._began = clock.monotonic()
        self._session: SessionStamp | None = None
        self._sessions: list[ProviderSession] = []
        self._past: list[AttemptRecord] = []
        self._now = AttemptRecord()
        self._failed_with: ErrorInfo | None = None

    @property
    def tally(self) -> Tally:
        """What the attempt that goes on has told."""
        return self._now.tally

    @property
    def sent_now(self) -> bool:
        """Whether the prompt of the attempt that goes on has left."""
        return self._now.plan is not None

    def again(self, error: ErrorInfo) -> None:
        """The attempt failed, and another one begins."""
        self._failed_with = error
        self._past.append(self._now)
        self._now = AttemptRecord()

    def refuse(self, refused: Refused) -> None:
        """A station said no."""
        self.refused = refused

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
        if self.meter is not None:
            self.meter.attempt()

    def may_say_more(self) -> ErrorInfo | None:
        """Why no further message may be sent in the run; ``None`` when one may, and then it is about to be."""
        if self.meter is None:
            return None
        reached = self.meter.may_send()
        self.meter.prompt()
        return reached

    def add(self, event: Event) -> None:
        """Take one event in."""
        self.tally.add(event)
        if self.meter is not None:
            self.meter.add(event)
        if self._now.first_text is None and self.tally.has_text:
            self._now.first_text = self._clock.monotonic()

    def objection(self, event: Event) -> ErrorInfo | None:
        """Why the run cannot succeed any more after this event; ``None`` when it can."""
        if self._now.plan is not None and isinstance(event, Started):
            return outcome.judge_start(self._now.plan.cleared.permitted.request, event)
        return self.meter.objection(event) if self.meter is not None else None

    def schema_complaints(self) -> list[str]:
        """What is wrong with the answer's structure; nothing when no schema was asked for or the run failed otherwise."""
        schema = self._schema()
        if schema is None or outcome.judge(self.tally, self.run_id) is not None:
            return []
        return schemas.complaints(schema, _structure(self._now))

    def complaint(self) -> ErrorInfo | None:
        """Why the attempt that ended by itself is no success; ``None`` when it is, or when a station said no."""
        if self.refused is not None:
            return None
        error = outcome.judge(self.tally, self.run_id)
        if error is None and (found := self.schema_complaints()):
            return outcome.schema_unmet(found)
        return error

    def settle(self, error: ErrorInfo | None) -> RunResult:
        """The result of the run, given the error that cut it short, if one did."""
        error = error or self._refusal() or self.complaint()
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
    def _attempts(self) -> list[AttemptRecord]:
        return [*self._past, self._now]

    @property
    def _sent(self) -> list[AttemptRecord]:
        return [attempt for attempt in self._attempts if attempt.plan is not None]

    @property
    def _told(self) -> AttemptRecord:
        """The attempt whose answer is the run's: the last one that gave any, so that none is lost to a worse one."""
        answered = [attempt for attempt in self._attempts if attempt.answered]
        return (answered or self._sent or [self._now])[-1]

    def _refusal(self) -> ErrorInfo | None:
        if self.refused is None or self._failed_with is None or not self._sent:
            return self.refused.error if self.refused is not None else None
        return retry.not_repeated(self._failed_with, self.refused.error)

    def _schema(self) -> dict[str, Any] | None:
        plan = self._told.plan
        return plan.cleared.permitted.request.schema if plan is not None else None

    def _finding(self) -> billing.Finding:
        # An attempt that used nothing proves nothing; of the others, the one with the worst proof counts.
        telling = [attempt for attempt in self._sent if not attempt.tally.used_nothing()]
        findings = [self._finding_of(attempt) for attempt in telling or self._sent or [self._now]]
        return min(reversed(findings), key=lambda finding: _WORST_FIRST.index(finding.verdict))

    def _finding_of(self, attempt: AttemptRecord) -> billing.Finding:
        return billing.conclude(
            expected=self._expected_wallet,
            before=self.cleared or self.refused,
            sent=attempt.plan is not None,
            started=attempt.tally.started,
            overage=attempt.tally.overage,
        )

    def _list_cost(self) -> tuple[float | None, CostSource]:
        """What the run costs at list price, and who says so: the provider, our price table where there is a budget, nobody."""
        if not self._sent:
            return 0.0, "unknown"
        spent = self.meter.spent_usd if self.meter is not None else None
        if self.meter is not None and spent is not None and self.meter.estimated:
            # Nothing seen is not nothing spent: the prompt was on its way.
            return (spent, "price_table") if spent else (None, "unknown")
        ends = [attempt.tally.ended for attempt in self._sent]
        reported = sum_of_costs(ended.list_cost_usd if ended is not None else None for ended in ends)
        return reported, "cli" if reported is not None else "unknown"

    def _receipt(self) -> Receipt:
        finding, sent, first_text = self._finding(), len(self._sent), self._told.first_text
        list_cost, source = self._list_cost()
        policy = (
            self.permitted.policy
            if self.permitted is not None
            else (self.refused.policy if self.refused else None)
        )
        return Receipt(
            provider=self._provider,
            model=self._model(),
            wallet=finding.wallet,
            expected_wallet=self._expected_wallet,
            verdict=finding.verdict,
            evidence=(*finding.evidence, *(said for it in self._attempts for said in it.tally.evidence)),
            usage=self._usage(),
            # An estimate says what the tokens are worth, not what anybody was charged.
            cost_usd=finding.charged(None if source == "price_table" else list_cost) if sent else 0.0,
            equivalent_cost_usd=list_cost,
            cost_source=source,
            limits=tuple(
                {name: it for past in self._attempts for name, it in past.tally.limits.items()}.values()
            ),
            policy=policy,
            cli_version=self.capabilities.cli_version,
            attempts=sent,
            first_token_ms=self._since_start(first_text) if first_text is not None else None,
            duration_ms=self._since_start(self._clock.monotonic()),
        )

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
