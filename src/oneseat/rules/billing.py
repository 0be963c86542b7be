"""The billing gate: which wallet would pay, and whether it is the planned one. Anything that is not certain is refused."""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import Event, LimitSeen, Started
from oneseat.contract.facts import Account, CodexFacts, CredentialFacts, KeyFacts, PayerFacts
from oneseat.contract.receipt import Evidence, Verdict, Wallet
from oneseat.contract.stations import Budgeted, Cleared, Refused

from . import codex_billing, key_billing
from .billing_evidence import evidence_before
from .billing_refusals import (
    bad_token,
    cloud,
    first_of,
    key_wins,
    present_refusal,
    signed_out,
    unknown_account,
    unsafe_child,
    wrong_wallet,
)

#: Logins that are a subscription token by their very kind.
_PLAN_TOKENS = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"})
#: What the CLI calls a token that is an API key, or anything at all.
_KEY_TOKENS = frozenset({"apiKeyHelper"})
_FOREIGN_TOKENS = _KEY_TOKENS | {"ANTHROPIC_AUTH_TOKEN"}
#: Plans with a flat price. `Claude Enterprise` is missing because some of its members pay by use, and the CLI does not say
#: which; `Claude API` is what the CLI calls a login without any plan (both measured on 2.1.197 and 2.1.329).
_PLANS = frozenset({"Claude Pro", "Claude Max", "Claude Ultra", "Claude Team"})
_CLOUDS = frozenset(
    {"bedrock", "vertex", "foundry", "anthropicAws", "anthropicGoogleCloud", "mantle", "gateway"}
)
#: What the CLI says instead of a source when there is none.
_NO_SOURCE = frozenset({None, "none"})


class Finding(msgspec.Struct, frozen=True):
    """Who paid in the end, how certain that is, and what it rests on."""

    wallet: Wallet
    verdict: Verdict
    evidence: tuple[Evidence, ...]

    def charged(self, list_cost: float | None) -> float | None:
        """What was really charged, in US dollars, given the list price of the same tokens; ``None`` when it is not known."""
        if self.wallet == "simulator" or self.verdict == "nothing_sent":
            return 0.0
        if self.wallet == "api_key" or self.verdict == "misbilled":
            return list_cost
        return 0.0 if self.verdict == "verified" else None


def wallet_of(account: Account | None) -> Wallet:
    """The wallet an account stands for. A plan only where the CLI names a subscription and nothing that comes before it."""
    if account is None:
        return "unknown"
    if account.api_provider in _CLOUDS:
        return "cloud"
    if account.api_provider != "firstParty":
        return "unknown"
    if account.api_key_source not in _NO_SOURCE or account.token_source in _KEY_TOKENS:
        return "api_key"
    if account.token_source in _PLAN_TOKENS:
        return "plan"
    return "plan" if account.token_source is None and _is_plan(account.subscription) else "unknown"


def clear(budgeted: Budgeted, facts: PayerFacts, expected_wallet: Wallet) -> Cleared | Refused:
    """Let the request pass when ``expected_wallet`` is certain to pay, else refuse and say why."""
    wallet, evidence, error = _judged(facts, expected_wallet)
    if error is not None:
        policy = budgeted.permitted.policy
        return Refused(error=error, policy=policy, wallet=_doubted(wallet), evidence=evidence)
    return Cleared(budgeted=budgeted, wallet=wallet, evidence=evidence)


#: The events that can show who pays.
TELLING = frozenset({LimitSeen, Started})


def judge_during(event: Event) -> ErrorInfo | None:
    """The reason to stop a run at once: an event that shows another wallet paying. ``None`` for every other event."""
    if isinstance(event, LimitSeen) and event.overage:
        return ErrorInfo(
            code="billing.overage",
            message="The plan's limit is used up and extra, paid usage was being spent: the run was stopped\n"
            f"  the server reported overage (window `{event.limit.window}`, status `{event.limit.status}`)",
            hint="See the limit and switch extra usage off: `claude`, then `/usage`",
        )
    if isinstance(event, Started) and event.api_key_source not in _NO_SOURCE:
        return ErrorInfo(
            code="billing.misbilled",
            message=f"Another wallet than the plan was paying: `{event.api_key_source}`\n"
            "  the official CLI named this key source when it took the prompt; the run was stopped",
            hint="See which source wins and where it is: `oneseat doctor`",
        )
    return None


def verdict(*, sent: bool, started: Started | None, overage: bool | None) -> Verdict:
    """What a run proves about its wallet.

    ``verified`` takes three witnesses: the account before, no key source when the CLI took the prompt, and the server's own
    limit report without overage. ``overage`` is ``None`` when the server said nothing.
    """
    if not sent:
        return "nothing_sent"
    source = started.api_key_source if started is not None else None
    if overage or source not in _NO_SOURCE:
        return "misbilled"
    return "verified" if source == "none" and overage is False else "unverified"


def conclude_on_key(before: Cleared | Refused | None, *, used: bool | None) -> Finding:
    """Join what was seen of a run on a key, which oneseat sends by itself: that it was taken is proved by the tokens reported.

    ``used`` is whether there were any, and ``None`` when nothing was sent.
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
    """Join what was seen before, during and after a run on a plan. ``before`` is what the gate said, if it was reached."""
    wallet: Wallet = before.wallet if before is not None else "unknown"
    reached = before.evidence if before is not None else ()
    found = verdict(sent=sent, started=started, overage=overage)
    if found == "misbilled" and expected != "simulator":
        wallet = "plan_overage" if overage else "api_key"
    return Finding(wallet, found, (*reached, *(_evidence_during(started, overage) if sent else ())))


def _judged(facts: PayerFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """Who would pay, what that rests on, and the reason to refuse."""
    match facts:
        case KeyFacts():
            return key_billing.judge(facts, expected)
        case CodexFacts():
            return codex_billing.judge(facts, expected)
        case CredentialFacts():
            wallet = _paying(facts)
            return wallet, _evidence_before(facts), _objection(facts, wallet, expected)


def _paying(facts: CredentialFacts) -> Wallet:
    wallet = wallet_of(facts.account)
    if wallet == "plan" and (facts.present or facts.strange is not None):
        return "unknown"
    return "simulator" if wallet == "plan" and facts.simulated else wallet


def _doubted(wallet: Wallet) -> Wallet:
    # What was refused would not have been paid by the wallet that was planned; a receipt must not say so.
    return "unknown" if wallet in {"plan", "simulator"} else wallet


def _objection(facts: CredentialFacts, wallet: Wallet, expected: Wallet) -> ErrorInfo | None:
    """Why the facts are not good enough; ``None`` when they are. What to fix comes before what follows from it."""
    account = facts.account
    if account is None:
        return unknown_account()
    managed = first_of(facts, scope="managed_settings")
    winner = present_refusal(managed) if managed is not None else _winner(account, facts)
    if winner is not None:
        return winner
    if facts.present:
        return present_refusal(facts.present[0])
    if facts.strange is not None:
        return unsafe_child(facts.strange)
    if wallet == expected and facts.bad_token is None:
        return None
    return _no_login(account, facts) or wrong_wallet(account, wallet, expected)


def _no_login(account: Account, facts: CredentialFacts) -> ErrorInfo | None:
    """There is no login at all, or a token that can be none."""
    if account.token_source == "none":  # noqa: S105 - the CLI's word for "not signed in"
        return signed_out(facts)
    return bad_token(facts.bad_token) if facts.bad_token is not None else None


def _winner(account: Account, facts: CredentialFacts) -> ErrorInfo | None:
    """What the CLI itself says it would use before the plan, in its own order; ``None`` when it says nothing of the kind."""
    if account.api_provider is not None and account.api_provider != "firstParty":
        return cloud(account.api_provider, facts)
    if account.api_key_source not in _NO_SOURCE:
        return key_wins(str(account.api_key_source), facts)
    if account.token_source in _FOREIGN_TOKENS:
        return key_wins(str(account.token_source), facts)
    return None


def _is_plan(subscription: str | None) -> bool:
    # The CLI may add the size of a plan to its name ("Claude Max 5x").
    return subscription is not None and " ".join(subscription.split(" ")[:2]) in _PLANS


def _evidence_before(facts: CredentialFacts) -> tuple[Evidence, ...]:
    account = facts.account or Account()
    said = (
        ("account.tokenSource", account.token_source),
        ("account.apiKeySource", account.api_key_source),
        ("account.apiProvider", account.api_provider),
        ("account.subscriptionType", account.subscription),
    )
    return evidence_before(said, facts)


def _evidence_during(started: Started | None, overage: bool | None) -> tuple[Evidence, ...]:  # noqa: FBT001 - a reading, not an option
    source = started.api_key_source if started is not None else None
    return (
        Evidence("init.apiKeySource", source, "during"),
        Evidence("rate_limit.overage", overage, "during"),
    )
