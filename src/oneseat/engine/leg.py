"""What is known of one candidate's part of a run: what its gate said, and its attempts."""

from __future__ import annotations

from oneseat.contract.budgets import Bound, Cap
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Capabilities
from oneseat.contract.receipt import CostSource, Wallet
from oneseat.contract.request import Cleared, Plan, Refused
from oneseat.contract.routing import PaidFrom
from oneseat.rules import billing
from oneseat.rules.budget import Meter
from oneseat.rules.metering import Tally, sum_of_costs
from oneseat.rules.runs import outcome

#: Which proof of a run counts when its attempts have several.
WORST_FIRST = ("misbilled", "unverified", "verified", "nothing_sent")


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


class Leg:
    """One candidate's part of a run."""

    def __init__(
        self, provider: str, expected: Wallet, paid_from: PaidFrom = "plan", key: str | None = None
    ) -> None:
        self.provider = provider
        self.expected = expected
        self.paid_from = paid_from
        self.key = key
        self.bounds: tuple[Bound, ...] = ()
        self.cleared: Cleared | None = None
        self.refused: Refused | None = None
        self.capabilities = Capabilities()
        self.cap: Cap | None = None
        self.meter: Meter | None = None
        self.past: list[AttemptRecord] = []
        self.now = AttemptRecord()

    @property
    def by_use(self) -> bool:
        """Whether each request of it is charged."""
        return self.paid_from != "plan"

    @property
    def attempts(self) -> list[AttemptRecord]:
        """All of them, the one that goes on last."""
        return [*self.past, self.now]

    @property
    def sent(self) -> list[AttemptRecord]:
        """Those whose prompt has left."""
        return [attempt for attempt in self.attempts if attempt.plan is not None]

    @property
    def used_something(self) -> bool:
        """Whether any of its attempts may have used tokens."""
        return any(not attempt.tally.used_nothing() for attempt in self.sent)

    def again(self, error: ErrorInfo) -> None:
        """An attempt failed, and another one begins."""
        self.broke_off(error)
        self.past.append(self.now)
        self.now = AttemptRecord()

    def broke_off(self, error: ErrorInfo) -> None:
        """What goes on has failed."""
        if self.meter is not None:
            self.meter.broke_off(error)

    def finding(self) -> billing.Finding:
        """Who paid, and how certain that is."""
        # An attempt that used nothing proves nothing; of the others, the one with the worst proof counts.
        telling = [attempt for attempt in self.sent if not attempt.tally.used_nothing()]
        findings = [self._finding_of(attempt) for attempt in telling or self.sent or [self.now]]
        return min(reversed(findings), key=lambda finding: WORST_FIRST.index(finding.verdict))

    def list_cost(self) -> tuple[float | None, CostSource]:
        """What it costs at list price, and who says so: the provider, our price table where there is a meter, nobody."""
        if not self.sent:
            return 0.0, "unknown"
        spent = self.meter.spent_usd if self.meter is not None else None
        if self.meter is not None and self.by_use:
            # Of an answer that was lost, nobody has counted what is charged.
            known = self.meter.is_free or all(attempt.tally.usage is not None for attempt in self.sent)
            return (spent, "price_table") if spent is not None and known else (None, "unknown")
        if self.meter is not None and spent is not None and self.meter.estimated:
            # Nothing seen is not nothing spent: the prompt was on its way.
            return (spent, "price_table") if spent else (None, "unknown")
        ends = [attempt.tally.ended for attempt in self.sent]
        reported = sum_of_costs(ended.list_cost_usd if ended is not None else None for ended in ends)
        return reported, "cli" if reported is not None else "unknown"

    @property
    def counted_usd(self) -> float:
        """Its list price in US dollars; where nobody knows that, what was seen of it and what a lost answer may be charged."""
        cost, _ = self.list_cost()
        if cost is not None:
            return cost
        return self.meter.committed_usd if self.meter is not None else 0.0

    def charged(self) -> float | None:
        """What was really charged, in US dollars, as far as that is known."""
        if not self.sent:
            return 0.0
        list_cost, source = self.list_cost()
        # On a plan, an estimate says what the tokens are worth, not what anybody was charged.
        known = list_cost if self.by_use or source != "price_table" else None
        return self.finding().charged(known)

    def _finding_of(self, attempt: AttemptRecord) -> billing.Finding:
        tally, before = attempt.tally, self.cleared or self.refused
        if self.by_use:
            used = tally.usage is not None and not tally.used_nothing()
            return billing.conclude_on_key(before, used=used if attempt.plan is not None else None)
        return billing.conclude(
            expected=self.expected,
            before=before,
            sent=attempt.plan is not None,
            started=tally.started,
            overage=tally.overage,
        )
