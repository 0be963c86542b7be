"""The billing gate of the official `codex` CLI: which wallet would pay. Anything that is not certain is refused."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import CodexFacts, CredentialSource, SourceKind
from oneseat.contract.receipt import Evidence, Wallet

from .billing_evidence import evidence_before

#: The CLI's word for a login with a ChatGPT account.
_CHATGPT = "chatgpt"
#: Whom the CLI asks when nothing else is set.
_VENDOR = frozenset({None, "openai"})
#: Plans with a flat price. Those that are paid by use are missing, and so is `enterprise`, some of which are.
_PLANS = frozenset(
    {
        "free", "go", "plus", "pro", "prolite", "promax", "team", "business",
        "edu", "edu_plus", "edu_pro", "sci", "sci_plus",
    }
)  # fmt: skip
#: A source's kind, the code of its refusal, and what it would do.
_BY_KIND: dict[SourceKind, tuple[str, str]] = {
    "api_key": ("billing.api_key_wins", "An API key would pay instead of the plan"),
    "auth_token": ("billing.auth_token_wins", "Another token would be used instead of the plan's login"),
    "base_url": ("billing.base_url_changed", "The login would be sent to another address than the vendor's"),
    "headers": (
        "billing.custom_headers",
        "Something would change every request, perhaps also who pays for it",
    ),
    "cloud": ("billing.cloud_provider", "Another provider would be asked instead of the plan"),
}
_UNSAFE = (
    "billing.unsafe_child",
    "The official CLI does not run as oneseat started it, so who pays is not certain",
)
_UNREADABLE = "A file that could name another payer cannot be read"
_SIGN_IN = "Sign in with the plan: `codex logout`, then `codex login`"
_DOCTOR = "See every source and where it is: `oneseat doctor`"
_OFFICIAL = "Name the official CLI itself, not a script around it: `export ONESEAT_CODEX_PATH=/path/to/codex`"


def judge(facts: CodexFacts, expected: Wallet) -> tuple[Wallet, tuple[Evidence, ...], ErrorInfo | None]:
    """Who would pay, what that rests on, and why ``expected`` (``plan`` or ``simulator``) is not certain; ``None`` when it is."""
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
    # A file with both and no word for which is taken for a key (measured).
    return login.has_key and login.auth_mode != _CHATGPT


def _objection(facts: CodexFacts, wallet: Wallet, expected: Wallet) -> ErrorInfo | None:
    """Why the facts are not good enough. What to fix comes before what follows from it."""
    if _signs_in_with_key(facts):
        return _key_login(facts)
    unsafe = _unsafe(facts)
    if unsafe is not None:
        return unsafe
    if facts.auth_method is None:
        return _signed_out(facts)
    if facts.credits_next:
        return _refusal(
            "billing.credits_next",
            "The plan's limit is used up, and the next request would be paid from credits",
            "the vendor's account says so; nothing was sent",
            "See the limits: `oneseat limits`; wait for the reset, or switch credits off in the account",
        )
    return None if wallet == expected else _not_a_plan(facts)


def _unsafe(facts: CodexFacts) -> ErrorInfo | None:
    """Something that reached the CLI can change who is asked or paid."""
    if facts.exposed:
        return _present(facts.exposed[0])
    if facts.model_provider not in _VENDOR:
        return _refusal(
            "billing.cloud_provider",
            f"Another provider would be asked: `{facts.model_provider}`",
            "the settings in force inside the official CLI name it",
            "See where it is set: `codex doctor`",
        )
    return _refusal(*_UNSAFE, facts.tampering, _OFFICIAL) if facts.tampering is not None else None


def _key_login(facts: CodexFacts) -> ErrorInfo:
    said = facts.auth_method or facts.login.auth_mode or "an API key"
    return _refusal(
        "billing.api_key_wins",
        f"An API key would pay instead of the plan: `{said}`",
        f"the official CLI is signed in with it, in `{facts.login.place}`",
        _SIGN_IN,
    )


def _present(source: CredentialSource) -> ErrorInfo:
    code, what = _BY_KIND.get(source.kind, _UNSAFE)
    if source.scope == "managed_settings":
        code = "billing.managed_settings"
    if source.kind == "unreadable":
        what = _UNREADABLE
    hint = (
        _OFFICIAL
        if source.scope == "child"
        else f"Remove `{source.name}` from {source.place}, then see: `oneseat doctor`"
    )
    return _refusal(code, f"{what}: `{source.name}`", f"set in {source.place}", hint)


def _signed_out(facts: CodexFacts) -> ErrorInfo:
    why = "`codex` reports no login"
    if facts.login.problem is not None:
        why += f"; its login file is there but {facts.login.problem}"
    if facts.simulated:
        why = "this is a simulated run, and it has no made-up login either"
    keys = [f"`{source.name}` ({source.place})" for source in facts.withheld if source.kind in _BY_KIND]
    if keys:
        why += (
            f"\n  kept from it: {', '.join(keys)}; they are not the plan's, and oneseat does not spend them"
        )
    hint = (
        "Simulate a login: `export ONESEAT_SIMULATOR_LOGIN=token`"
        if facts.simulated
        else "Sign in with the plan: `codex login`"
    )
    return _refusal("provider.signed_out", "The official CLI is not signed in to a plan", why, hint)


def _not_a_plan(facts: CodexFacts) -> ErrorInfo:
    if facts.plan is None:
        why = f"the official CLI could not name the plan: {facts.refused or 'it did not say why'}"
    else:
        why = f"the vendor's account is on `{facts.plan}`, which has no flat price that oneseat knows of"
    return _refusal("billing.unknown_wallet", "It is not certain that the plan would pay", why, _DOCTOR)


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


def _refusal(code: str, what: str, why: str, hint: str) -> ErrorInfo:
    return ErrorInfo(code=code, message=f"{what}\n  {why}", hint=hint, whose_turn="you")
