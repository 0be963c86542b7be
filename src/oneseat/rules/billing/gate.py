"""What the billing gate decides before a run, watches for during it, and concludes after it."""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, LimitSeen, Started
from oneseat.contract.facts import CodexFacts, CredentialFacts, KeyFacts, PayerFacts
from oneseat.contract.receipt import Evidence, Verdict, Wallet
from oneseat.contract.stations import Budgeted, Cleared, Refused

from . import api_key, claude, codex, messages
from .claude import NO_SOURCE


class Finding(msgspec.Struct, frozen=True):
    """Who paid in the end, how certain that is, and the evidence."""

    wallet: Wallet
    verdict: Verdict
    evidence: tuple[Evidence, ...]

    def charged(self, list_cost: float | None) -> float | None:
        """What was actually charged, in US dollars, given the list price of the same tokens; ``None`` when it is unknown."""
        if self.wallet == "simulator" or self.verdict == "nothing_sent":
            return 0.0
        if self.wallet == "api_key" or self.verdict == "misbilled":
            return list_cost
        return 0.0 if self.verdict == "verified" else None


def clear(budgeted: Budgeted, facts: PayerFacts, expected_wallet: Wallet) -> Cleared | Refused:
    """Clear the request if ``expected_wallet`` is certain to pay, else return a refusal with the reason."""
    wallet, evidence, error = _judged(facts, expected_wallet)
    if error is not None:
        policy = budgeted.permitted.policy
        return Refused(error=error, policy=policy, wallet=_doubted(wallet), evidence=evidence)
    return Cleared(budgeted=budgeted, wallet=wallet, evidence=evidence)


def overtaken(place: str | None, *, sent: bool) -> ErrorInfo | None:
    """Why a decision of the gate holds no more, given the file or folder that has changed since; ``None`` when it holds."""
    return messages.overtaken(place, sent=sent) if place is not None else None


#: The events that can show who pays.
TELLING = frozenset({LimitSeen, Started})


def judge_during(event: Event) -> ErrorInfo | None:
    """The reason to stop a run at once: an event which shows that another wallet pays. ``None`` for every other event."""
    if isinstance(event, LimitSeen) and event.overage:
        return ErrorInfo(
            code="billing.overage",
            message="The plan's limit is reached and extra, paid usage was being spent: the run was stopped\n"
            f"  the server reported overage (window `{event.limit.window}`, status `{event.limit.status}`)",
            hint="Check the limit and switch off extra usage: `claude`, then `/usage`",
        )
    if isinstance(event, Started) and event.api_key_source not in NO_SOURCE:
        return ErrorInfo(
            code="billing.misbilled",
            message=f"A wallet other than the plan was paying: `{event.api_key_source}`\n"
            "  the official CLI named this key source when it took the prompt; the run was stopped",
            hint="See which source takes precedence and where it is: `oneseat doctor`",
        )
    return None


def verdict(*, sent: bool, started: Started | None, overage: bool | None) -> Verdict:
    """What a run proves about its wallet.

    ``verified`` takes three facts: the account before the run, no key source when the CLI took the prompt, and the server's own
    limit report without overage. ``overage`` is ``None`` when the server reported nothing.
    """
    if not sent:
        return "nothing_sent"
    source = started.api_key_source if started is not None else None
    if overage or source not in NO_SOURCE:
        return "misbilled"
    return "verified" if source == "none" and overage is False else "unverified"


def conclude_on_key(before: Cleared | Refused | None, *, used: bool | None) -> Finding:
    """Conclude a run on an API key. oneseat sends the key itself, so reported tokens prove that the key was used.

    ``used`` is whether it was reported what was sent and written; ``None`` when nothing was sent.
    """
    wallet: Wallet = before.wallet if before is not None else "unknown"
    reached = before.evidence if before is not None else ()
    if used is None:
        return Finding(wallet, "nothing_sent", reached)
    answered = Evidence("tokens.reported", used, "during")
    return Finding(wallet, "verified" if used else "unverified", (*reached, answered))


def conclude(
    *,
    expected: Wallet,
    before: Cleared | Refused | None,
    sent: bool,
    started: Started | None,
    overage: bool | None,
) -> Finding:
    """Conclude a run on a plan from what was seen before and during it. ``before`` is the gate's decision, if it was reached."""
    wallet: Wallet = before.wallet if before is not None else "unknown"
    reached = before.evidence if before is not None else ()
    found = verdict(sent=sent, started=started, overage=overage)
    if found == "misbilled" and expected != "simulator":
        wallet = "plan_overage" if overage else "api_key"
    return Finding(wallet, found, (*reached, *(_evidence_during(started, overage) if sent else ())))


def _judged(facts: PayerFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """Who would pay, the evidence, and the reason to refuse."""
    match facts:
        case KeyFacts():
            return api_key.judge(facts, expected)
        case CodexFacts():
            return codex.judge(facts, expected)
        case CredentialFacts():
            return claude.judge(facts, expected)


def _doubted(wallet: Wallet) -> Wallet:
    # A receipt must not name the planned wallet for a run that was refused because another one might pay.
    return "unknown" if wallet in {"plan", "simulator"} else wallet


def _evidence_during(started: Started | None, overage: bool | None) -> tuple[Evidence, ...]:  # noqa: FBT001 - a reading, not an option
    source = started.api_key_source if started is not None else None
    return (
        Evidence("init.apiKeySource", source, "during"),
        Evidence("rate_limit.overage", overage, "during"),
    )
