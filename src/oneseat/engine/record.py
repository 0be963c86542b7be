"""What is known of one run, and the result and receipt made of it."""

from __future__ import annotations

from typing import Any

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, Started
from oneseat.contract.facts import Capabilities
from oneseat.contract.ports import Clock, ProviderSession
from oneseat.contract.receipt import NO_TOKENS, Receipt, RunResult, SessionStamp, TokenUsage, Wallet
from oneseat.contract.request import Cleared, Permitted, Plan, Refused
from oneseat.rules import billing, outcome, schemas
from oneseat.rules.metering import Tally


class RunRecord:
    """Collects what happens to a run; ``settle`` turns it into the result. Safe to settle at any moment."""

    def __init__(self, run_id: str, provider: str, expected_wallet: Wallet, clock: Clock) -> None:
        self.run_id = run_id
        self.permitted: Permitted | None = None
        self.cleared: Cleared | None = None
        self.capabilities = Capabilities()
        self.refused: Refused | None = None
        self._provider = provider
        self._expected_wallet = expected_wallet
        self._clock = clock
        self._began = clock.monotonic()
        self._first_text: float | None = None
        self._plan: Plan | None = None
        self._session: SessionStamp | None = None
        self._tally = Tally()
        self._sessions: list[ProviderSession] = []

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
        self._plan = plan
        self._session = session

    def add(self, event: Event) -> None:
        """Take one event in."""
        self._tally.add(event)
        if self._first_text is None and self._tally.has_text:
            self._first_text = self._clock.monotonic()

    def objection(self, event: Event) -> ErrorInfo | None:
        """Why the run cannot succeed any more after this event; ``None`` when it can."""
        if self._plan is None or not isinstance(event, Started):
            return None
        return outcome.judge_start(self._plan.cleared.permitted.request, event)

    def schema_complaints(self) -> list[str]:
        """What is wrong with the answer's structure; nothing when no schema was asked for or the run failed otherwise."""
        schema = self._schema()
        if schema is None or outcome.judge(self._tally, self.run_id) is not None:
            return []
        return schemas.complaints(schema, self._structure())

    def settle(self, error: ErrorInfo | None) -> RunResult:
        """The result of the run, given the error that cut it short, if one did."""
        if error is None:
            error = self.refused.error if self.refused is not None else self._judge()
        text, _ = outcome.answer(self._tally)
        structured = self._structure() if self._schema() is not None else None
        return RunResult(
            run_id=self.run_id,
            status=outcome.status_of(error),
            text=text,
            structured=structured,
            error=error,
            session=self._session,
            receipt=self._receipt(),
            denials=self._tally.denials(),
        )

    def _judge(self) -> ErrorInfo | None:
        error = outcome.judge(self._tally, self.run_id)
        if error is None and (found := self.schema_complaints()):
            return outcome.schema_unmet(found)
        return error

    def _schema(self) -> dict[str, Any] | None:
        return self._plan.cleared.permitted.request.schema if self._plan is not None else None

    def _structure(self) -> Any:
        text, structured = outcome.answer(self._tally)
        return schemas.structure_of(structured, text)

    def _receipt(self) -> Receipt:
        sent, ended, started = self._plan is not None, self._tally.ended, self._tally.started
        finding = billing.conclude(
            expected=self._expected_wallet,
            before=self.cleared or self.refused,
            sent=sent,
            started=started,
            overage=self._tally.overage,
        )
        list_cost = ended.list_cost_usd if ended is not None else None
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
            evidence=finding.evidence,
            usage=self._usage(),
            cost_usd=0.0 if not sent else finding.charged(list_cost),
            equivalent_cost_usd=0.0 if not sent else list_cost,
            cost_source="cli" if list_cost is not None else "unknown",
            limits=tuple(self._tally.limits.values()),
            policy=policy,
            cli_version=self.capabilities.cli_version,
            attempts=1 if sent else 0,
            first_token_ms=self._since_start(self._first_text) if self._first_text is not None else None,
            duration_ms=self._since_start(self._clock.monotonic()),
        )

    def _model(self) -> str | None:
        ended, started = self._tally.ended, self._tally.started
        if ended is not None and ended.model is not None:
            return ended.model
        if started is not None and started.model is not None:
            return started.model
        return self._plan.model if self._plan is not None else None

    def _usage(self) -> TokenUsage:
        if self._plan is None:
            return NO_TOKENS
        return self._tally.usage if self._tally.usage is not None else TokenUsage()

    def _since_start(self, moment: float) -> int:
        return round((moment - self._began) * 1000)
