"""The billing gate of the official `codex` CLI: which wallet would pay."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import CodexFacts
from oneseat.contract.receipt import Evidence, Wallet

from .messages import CODEX, DOCTOR, evidence_before, exposed_refusal, refusal, signed_out, tampered

#: The CLI's name for a login with a ChatGPT account.
_CHATGPT = "chatgpt"
#: The model provider that the CLI uses by default.
_VENDOR = frozenset({None, "openai"})
#: Plans with a flat price. Plans charged by use are missing, and so is `enterprise`, as some of these are charged by use.
_PLANS = frozenset(
    {
        "free", "go", "plus", "pro", "prolite", "promax", "team", "business",
        "edu", "edu_plus", "edu_pro", "sci", "sci_plus",
    }
)  # fmt: skip
_SIGN_IN = "Sign in with the plan: `codex logout`, then `codex login`"


def judge(facts: CodexFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """Who would pay, the evidence, and why ``expected`` (``plan`` or ``simulator``) is not certain; ``None`` when it is."""
    wallet = _wallet(facts)
    return wallet, _evidence(facts), _objection(facts, wallet, expected)


def _wallet(facts: CodexFacts) -> Wallet:
    if _signs_in_with_key(facts):
        return "api_key"
    if facts.model_provider not in _VENDOR:
        return "unknown"
    certain = facts.auth_method == _CHATGPT and facts.plan in _PLANS and not facts.exposed
    if not certain or facts.tampering is not None:
        return "unknown"
    return "simulator" if facts.simulated else "plan"


def _signs_in_with_key(facts: CodexFacts) -> bool:
    login = facts.login
    if facts.auth_method is not None:
        return facts.auth_method != _CHATGPT
    # With a key, tokens and no `auth_mode`, the CLI uses the key (measured).
    return login.has_key and login.auth_mode != _CHATGPT


def _objection(facts: CodexFacts, wallet: Wallet, expected: Wallet) -> ErrorInfo | None:
    """Why the facts are not sufficient. Causes are reported before their consequences."""
    if _signs_in_with_key(facts):
        return _key_login(facts)
    unsafe = _unsafe(facts)
    if unsafe is not None:
        return unsafe
    if facts.auth_method is None:
        problem = facts.login.problem
        return signed_out(
            facts, CODEX, f"its login file is there but {problem}" if problem is not None else None
        )
    if facts.credits_next:
        return refusal(
            "billing.credits_next",
            "The plan's limit is used up, and the next request would be paid from credits",
            "the vendor's account says so; nothing was sent",
            "See the limits: `oneseat limits`; wait for the reset, or switch credits off in the account",
        )
    return None if wallet == expected else _not_a_plan(facts)


def _unsafe(facts: CodexFacts) -> ErrorInfo | None:
    """The refusal if something that reached the CLI can change the endpoint or who pays."""
    if facts.exposed:
        return exposed_refusal(facts.exposed[0], CODEX)
    if facts.model_provider not in _VENDOR:
        return refusal(
            "billing.cloud_provider",
            f"Another provider would be used: `{facts.model_provider}`",
            "the official CLI's effective settings name it",
            "See where it is set: `codex doctor`",
        )
    return tampered(facts.tampering, CODEX) if facts.tampering is not None else None


def _key_login(facts: CodexFacts) -> ErrorInfo:
    said = facts.auth_method or facts.login.auth_mode or "an API key"
    return refusal(
        "billing.api_key_wins",
        f"An API key would pay instead of the plan: `{said}`",
        f"the official CLI is signed in with it, in `{facts.login.place}`",
        _SIGN_IN,
    )


def _not_a_plan(facts: CodexFacts) -> ErrorInfo:
    if facts.plan is None:
        why = f"the official CLI could not name the plan: {facts.refused or 'it did not say why'}"
    else:
        why = f"the vendor's account is on `{facts.plan}`, which is not known to have a flat price"
    return refusal("billing.unknown_wallet", "It is not certain that the plan would pay", why, DOCTOR)


def _evidence(facts: CodexFacts) -> tuple[Evidence, ...]:
    said = (
        ("codex.interface", facts.interface),
        ("codex.authMethod", facts.auth_method),
        ("codex.planType", facts.plan),
        ("codex.modelProvider", facts.model_provider or "openai"),
        ("login.auth_mode", facts.login.auth_mode),
        ("login.has_key", facts.login.has_key),
    )
    return evidence_before(said, facts)
