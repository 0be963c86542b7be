"""The billing gate of the official `claude` CLI: which wallet would pay."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Account, CredentialFacts
from oneseat.contract.receipt import Evidence, Wallet

from .messages import (
    CLAUDE,
    bad_token,
    cloud,
    evidence_before,
    exposed_refusal,
    first_of,
    key_wins,
    signed_out,
    tampered,
    unknown_account,
    wrong_wallet,
)

#: Token sources that always hold a subscription token.
_PLAN_TOKENS = frozenset({"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR"})
#: The CLI's names of token sources that can hold an API key or any other value.
_KEY_TOKENS = frozenset({"apiKeyHelper"})
_FOREIGN_TOKENS = _KEY_TOKENS | {"ANTHROPIC_AUTH_TOKEN"}
#: Plans with a flat price. `Claude Enterprise` is missing because some of its members pay by use, and the CLI does not say
#: which; `Claude API` is what the CLI calls a login without any plan (both measured on 2.1.197 and 2.1.329).
_PLANS = frozenset({"Claude Pro", "Claude Max", "Claude Ultra", "Claude Team"})
_CLOUDS = frozenset(
    {"bedrock", "vertex", "foundry", "anthropicAws", "anthropicGoogleCloud", "mantle", "gateway"}
)
#: What the CLI reports when there is no source.
NO_SOURCE = frozenset({None, "none"})


def judge(facts: CredentialFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """Who would pay, the evidence, and why ``expected`` (``plan`` or ``simulator``) is not certain; ``None`` when it is."""
    wallet = _paying(facts)
    return wallet, _evidence(facts), _objection(facts, wallet, expected)


def wallet_of(account: Account | None) -> Wallet:
    """The wallet of an account. A plan only if the CLI reports a subscription and no source that takes precedence over it."""
    if account is None:
        return "unknown"
    if account.api_provider in _CLOUDS:
        return "cloud"
    if account.api_provider != "firstParty":
        return "unknown"
    if account.api_key_source not in NO_SOURCE or account.token_source in _KEY_TOKENS:
        return "api_key"
    if account.token_source in _PLAN_TOKENS:
        return "plan"
    return "plan" if account.token_source is None and _is_plan(account.subscription) else "unknown"


def _paying(facts: CredentialFacts) -> Wallet:
    wallet = wallet_of(facts.account)
    if wallet == "plan" and (facts.exposed or facts.tampering is not None):
        return "unknown"
    return "simulator" if wallet == "plan" and facts.simulated else wallet


def _objection(facts: CredentialFacts, wallet: Wallet, expected: Wallet) -> ErrorInfo | None:
    """Why the facts are not sufficient; ``None`` when they are. Causes are reported before their consequences."""
    account = facts.account
    if account is None:
        return unknown_account()
    managed = first_of(facts, scope="managed_settings")
    winner = exposed_refusal(managed, CLAUDE) if managed is not None else _winner(account, facts)
    if winner is not None:
        return winner
    if facts.exposed:
        return exposed_refusal(facts.exposed[0], CLAUDE)
    if facts.tampering is not None:
        return tampered(facts.tampering, CLAUDE)
    if wallet == expected and facts.bad_token is None:
        return None
    return _no_login(account, facts) or wrong_wallet(account, wallet, expected)


def _no_login(account: Account, facts: CredentialFacts) -> ErrorInfo | None:
    """The refusal if there is no login, or a malformed token."""
    if account.token_source == "none":  # noqa: S105 - the CLI's word for "not signed in"
        return signed_out(facts, CLAUDE)
    return bad_token(facts.bad_token) if facts.bad_token is not None else None


def _winner(account: Account, facts: CredentialFacts) -> ErrorInfo | None:
    """The source that the CLI reports it would use before the plan, in its own order; ``None`` if it reports none."""
    if account.api_provider is not None and account.api_provider != "firstParty":
        return cloud(account.api_provider, facts)
    if account.api_key_source not in NO_SOURCE:
        return key_wins(str(account.api_key_source), facts)
    if account.token_source in _FOREIGN_TOKENS:
        return key_wins(str(account.token_source), facts)
    return None


def _is_plan(subscription: str | None) -> bool:
    # The CLI may add the size of a plan to its name ("Claude Max 5x").
    return subscription is not None and " ".join(subscription.split(" ")[:2]) in _PLANS


def _evidence(facts: CredentialFacts) -> tuple[Evidence, ...]:
    account = facts.account or Account()
    said = (
        ("account.tokenSource", account.token_source),
        ("account.apiKeySource", account.api_key_source),
        ("account.apiProvider", account.api_provider),
        ("account.subscriptionType", account.subscription),
    )
    return evidence_before(said, facts)
