"""Records what happened while one candidate served a run: the billing gate's findings, the attempts and their costs."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import SessionInfo
from oneseat.contract.receipt import CostSource, Wallet
from oneseat.contract.routing import Candidate
from oneseat.contract.stations import Cleared, Dispatch, Refused
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets.meter import Meter
from oneseat.rules.runs import outcome
from oneseat.rules.runs.totals import RunTotals, sum_of_costs

from .budgets import CandidateBudget

#: The verdict of a run is that of its attempts which comes first here.
WORST_FIRST = ("misbilled", "unverified", "verified", "nothing_sent")


class AttemptRecord:
    """What happened in one attempt. ``dispatch`` is ``None`` until its prompt is sent.

    ``other_models`` are the models that answered although another one was asked for, and were named to the caller.
    """

    def __init__(self) -> None:
        self.dispatch: Dispatch | None = None
        self.totals = RunTotals()
        self.first_text: float | None = None
        self.other_models: set[str] = set()
        #: The structured answer as the caller's own type, made once, with the end of the turn that it was made from.
        self.made: tuple[object, object] | None = None
        #: What is wrong with its answer by the schema.
        self.complaints: list[str] = []

    @property
    def answered(self) -> bool:
        """Whether it received any part of an answer."""
        text, structured = outcome.answer(self.totals)
        return bool(text.strip()) or structured is not None


class CandidateRecord:
    """One candidate's part of a run. ``budget`` is ``None`` until a candidate was tried."""

    def __init__(
        self,
        provider: str,
        expected: Wallet,
        candidate: Candidate | None = None,
        budget: CandidateBudget | None = None,
    ) -> None:
        self.provider = provider
        self.expected = expected
        self.key = candidate.key if candidate is not None else None
        #: Whether each request is charged.
        self.by_use = candidate is not None and candidate.paid_from != "plan"
        self.budget = budget
        self.cleared: Cleared | None = None
        self.refused: Refused | None = None
        self.capabilities = SessionInfo()
        self.past: list[AttemptRecord] = []
        self.now = AttemptRecord()

    @property
    def meter(self) -> Meter | None:
        """The meter of the candidate's usage; ``None`` if nothing is counted."""
        return self.budget.meter if self.budget is not None else None

    @property
    def attempts(self) -> list[AttemptRecord]:
        """All attempts, the current one last."""
        return [*self.past, self.now]

    @property
    def sent(self) -> list[AttemptRecord]:
        """The attempts whose prompt was sent."""
        return [attempt for attempt in self.attempts if attempt.dispatch is not None]

    @property
    def used_something(self) -> bool:
        """Whether any attempt may have used tokens."""
        return any(not attempt.totals.used_nothing() for attempt in self.sent)

    def next_attempt(self, error: ErrorInfo) -> None:
        """Note that the current attempt failed and another one begins."""
        self.broke_off(error)
        self.past.append(self.now)
        self.now = AttemptRecord()

    def broke_off(self, error: ErrorInfo) -> None:
        """Note that the current attempt failed."""
        meter = self.meter
        if meter is not None:
            meter.broke_off(error)

    def finding(self) -> billing.Finding:
        """Who paid, and how certain that is."""
        # An attempt that used no tokens proves nothing; of the others, the worst verdict counts.
        telling = [attempt for attempt in self.sent if not attempt.totals.used_nothing()]
        findings = [self._finding_of(attempt) for attempt in telling or self.sent or [self.now]]
        return min(reversed(findings), key=lambda finding: WORST_FIRST.index(finding.verdict))

    def list_cost(self) -> tuple[float | None, CostSource]:
        """The cost at list price and its source: the provider, or our price table if the usage was counted."""
        if not self.sent:
            return 0.0, "unknown"
        meter = self.meter
        spent = meter.spent_usd if meter is not None else None
        if meter is not None and self.by_use:
            # The vendor charges for a lost answer, whose tokens are unknown.
            known = meter.is_free or all(attempt.totals.usage is not None for attempt in self.sent)
            return (spent, "price_table") if spent is not None and known else (None, "unknown")
        if meter is not None and spent is not None and meter.estimated:
            # No output was seen, but the prompt was sent: the cost is unknown, not zero.
            return (spent, "price_table") if spent else (None, "unknown")
        ends = [attempt.totals.ended for attempt in self.sent]
        reported = sum_of_costs(ended.list_cost_usd if ended is not None else None for ended in ends)
        return reported, "cli" if reported is not None else "unknown"

    @property
    def counted_usd(self) -> float:
        """The list price in US dollars; if it is unknown, what was counted plus the possible charge of a lost answer."""
        cost, _ = self.list_cost()
        if cost is not None:
            return cost
        meter = self.meter
        return meter.committed_usd if meter is not None else 0.0

    def charged(self) -> float | None:
        """What was actually charged, in US dollars; ``None`` if it is unknown."""
        if not self.sent:
            return 0.0
        list_cost, source = self.list_cost()
        # On a plan, an estimate is the value of the tokens, not a charge.
        known = list_cost if self.by_use or source != "price_table" else None
        return self.finding().charged(known)

    def _finding_of(self, attempt: AttemptRecord) -> billing.Finding:
        totals, before = attempt.totals, self.cleared or self.refused
        if self.by_use:
            used = totals.usage is not None and totals.usage.is_known and totals.usage.is_positive
            return billing.conclude_on_key(before, used=used if attempt.dispatch is not None else None)
        return billing.conclude(
            expected=self.expected,
            before=before,
            sent=attempt.dispatch is not None,
            started=totals.started,
            overage=totals.overage,
        )
