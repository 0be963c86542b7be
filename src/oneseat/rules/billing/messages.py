"""The evidence and the refusals of the billing gate: what would pay, where it comes from, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias, get_args

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Account, CodexFacts, CredentialFacts, CredentialSource, Scope, SourceKind
from oneseat.contract.receipt import Evidence, Wallet

#: The kind of a source to the code of its refusal and its effect.
_BY_KIND: dict[SourceKind, tuple[str, str]] = {
    "api_key": ("billing.api_key_wins", "An API key would pay instead of the plan"),
    "auth_token": ("billing.auth_token_wins", "A bearer token would be used instead of the plan"),
    "key_helper": ("billing.key_helper_wins", "A key helper would pay instead of the plan"),
    "cloud": ("billing.cloud_provider", "A cloud account would pay instead of the plan"),
    "base_url": ("billing.base_url_changed", "The login would be sent to an address other than the vendor's"),
    "headers": (
        "billing.custom_headers",
        "Every request would be changed, and possibly who pays for it",
    ),
}
_UNSAFE = (
    "billing.unsafe_child",
    "The CLI is not running as oneseat started it, so it is not certain who pays",
)
_UNREADABLE = "A file that could name another payer cannot be read"
#: The CLI's names of its sources to their kinds.
_SAID: dict[str, SourceKind] = {"apiKeyHelper": "key_helper", "ANTHROPIC_AUTH_TOKEN": "auth_token"}
#: A key that the CLI stored when this account signed in for API billing.
_MANAGED_KEY = "/login managed key"
DOCTOR = "See every source and where it is: `oneseat doctor`"


class OfficialCli(NamedTuple):
    """The parts of messages that differ between the CLIs.

    ``path_variable`` is the variable with the path of its program. ``removable`` are the scopes from which the user can remove a
    source; in any other one, a wrapper script has set it.
    """

    name: str
    path_variable: str
    no_login: str
    sign_in: str
    removable: frozenset[Scope]

    @property
    def unwrap(self) -> str:
        """The hint for a CLI that is started by a wrapper script."""
        return f"Name the official CLI itself, not a wrapper script: `export {self.path_variable}=/path/to/{self.name}`"


CLAUDE = OfficialCli(
    name="claude",
    path_variable="ONESEAT_CLAUDE_PATH",
    no_login="`claude` reports no login in its folder and no CLAUDE_CODE_OAUTH_TOKEN",
    sign_in="Run `claude` and sign in with `/login`, or make a token for unattended use: `claude setup-token`",
    removable=frozenset({"global_config"}),
)
CODEX = OfficialCli(
    name="codex",
    path_variable="ONESEAT_CODEX_PATH",
    no_login="`codex` reports no login",
    sign_in="Sign in with the plan: `codex login`",
    removable=frozenset(get_args(Scope)) - {"child", "managed_settings"},
)
SeatFacts: TypeAlias = CredentialFacts | CodexFacts


def evidence_before(said: Iterable[tuple[str, str | bool | None]], facts: SeatFacts) -> tuple[Evidence, ...]:
    """What the CLI ``said`` of itself, the state of its process, and the place of each withheld or exposed source."""
    child = facts.tampering or ("checked" if facts.child_checked else "not readable")
    found = (
        *said,
        ("child.environment", child),
        *((f"kept:{source.name}", source.place) for source in facts.withheld),
        *((f"present:{source.name}", source.place) for source in facts.exposed),
    )
    return tuple(Evidence(what, value, "before") for what, value in found)


def first_of(
    facts: CredentialFacts, *, kind: SourceKind | None = None, scope: Scope | None = None
) -> CredentialSource | None:
    """The first source of this kind or scope that reached the CLI."""
    return next(
        (source for source in facts.exposed if kind in {None, source.kind} and scope in {None, source.scope}),
        None,
    )


def exposed_refusal(source: CredentialSource, cli: OfficialCli) -> ErrorInfo:
    """The refusal for a source that reached the CLI and can change who pays."""
    code, what = _BY_KIND.get(source.kind, _UNSAFE)
    if source.scope == "managed_settings":
        code = "billing.managed_settings"
    if source.kind == "unreadable":
        what = _UNREADABLE
    return refusal(code, f"{what}: `{source.name}`", _origin(source), _fix(source, cli))


def key_wins(said: str, facts: CredentialFacts) -> ErrorInfo:
    """The refusal when the CLI reports that a key or token takes precedence over the plan's login."""
    kind = _SAID.get(said, "api_key")
    code, what = _BY_KIND[kind]
    source = first_of(facts, kind=kind)
    if source is not None:
        why, hint = _origin(source), _fix(source, CLAUDE)
    elif said == _MANAGED_KEY:
        why = "it was stored when this account signed in for API billing"
        hint = "Sign in with the plan instead: `claude`, then `/logout` and `/login`"
    else:
        why = "oneseat did not pass it on and cannot see where it comes from"
        hint = DOCTOR
    return refusal(code, f"{what}: `{said}`", f"the official CLI says that it would use it; {why}", hint)


def cloud(provider: str, facts: CredentialFacts) -> ErrorInfo:
    """The refusal when the CLI would use a cloud provider or a gateway."""
    code, what = _BY_KIND["cloud"]
    source = first_of(facts, kind="cloud")
    why = f"switched on by `{source.name}`, {_origin(source)}" if source else "oneseat did not switch it on"
    return refusal(code, f"{what}: `{provider}`", why, _fix(source, CLAUDE) if source else DOCTOR)


def tampered(why: str, cli: OfficialCli) -> ErrorInfo:
    """The refusal when the process that answered is not the one oneseat started, or does not run as it was started."""
    return refusal(*_UNSAFE, why, cli.unwrap)


def overtaken(place: str, *, sent: bool) -> ErrorInfo:
    """What decides who pays has changed since the gate decided, before the prompt was ``sent`` or while it was answered."""
    if sent:
        return refusal(
            "billing.changed_midway",
            f"What decides who pays changed during the run, which was stopped: `{place}`",
            "the official CLI applies such a change while it runs",
            "See what is in force now, then run it again: `oneseat doctor`",
        )
    return refusal(
        "billing.settings_changed",
        f"What decides who pays changed before the prompt was sent: `{place}`",
        "each attempt was given up with its process, as it may have read what is gone by now; nothing was sent",
        "See what is in force now, then run it again: `oneseat doctor`",
    )


def signed_out(facts: SeatFacts, cli: OfficialCli, problem: str | None = None) -> ErrorInfo:
    """The refusal when the CLI has no login. Names the withheld keys, so that the user knows why they were not used."""
    why, hint = cli.no_login, cli.sign_in
    if problem is not None:
        why += f"; {problem}"
    if facts.simulated:
        why = "this is a simulated run, and it has no made-up login either"
        hint = "Simulate a login: `export ONESEAT_SIMULATOR_LOGIN=token`"
    keys = [f"`{source.name}` ({source.place})" for source in facts.withheld if source.kind in _BY_KIND]
    if keys:
        why += f"\n  withheld from it: {', '.join(keys)}; they do not belong to the plan, and oneseat does not spend them"
    return refusal("provider.signed_out", "The official CLI is not signed in to a plan", why, hint)


def bad_token(why: str) -> ErrorInfo:
    """The refusal of a token that was not pasted exactly as printed: the vendor would reject it."""
    return refusal(
        "provider.bad_token",
        "The plan's login token is not valid: `CLAUDE_CODE_OAUTH_TOKEN`",
        f"{why}; nothing was sent",
        "Create a new one and paste all of it, as one line: `claude setup-token`",
    )


def unknown_account() -> ErrorInfo:
    """The refusal when the CLI does not report its account."""
    message = "The official CLI did not say who is signed in, so it is not known who would pay"
    return ErrorInfo(
        code="provider.no_account",
        message=message,
        hint="Check which CLI this is: `oneseat doctor`",
        whose_turn="provider",
    )


def wrong_wallet(account: Account, wallet: Wallet, expected: Wallet) -> ErrorInfo:
    """The refusal when no source interferes but the planned wallet is still not certain."""
    if wallet != "unknown":
        why = f"the run was planned for the wallet `{expected}`, and `{wallet}` would pay"
    elif account.subscription is not None:
        why = f"the login names `{account.subscription}`, which is not known to be a plan with a flat price"
    elif account.token_source is not None:
        why = f"the CLI names its login `{account.token_source}`, which is not known to be a plan's"
    else:
        why = "the CLI names neither a plan nor a token; an active Anthropic profile (`~/.config/anthropic`) looks like this"
    return refusal(
        "billing.unknown_wallet", "It is not certain who would pay, so nothing was sent", why, DOCTOR
    )


def refusal(code: str, message: str, why: str, hint: str) -> ErrorInfo:
    """A refusal: what happened, the fact behind it, and how to fix it."""
    return ErrorInfo(code=code, message=f"{message}\n  {why}", hint=hint)


def _origin(source: CredentialSource) -> str:
    return f"found in `{source.place}`"


def _fix(source: CredentialSource, cli: OfficialCli) -> str:
    if source.scope == "managed_settings":
        return (
            f"Ask the administrator of this machine to remove `{source.name}`, then check: `oneseat doctor`"
        )
    if source.scope in cli.removable:
        return f"Remove `{source.name}` from `{source.place}`, then check: `oneseat doctor`"
    return cli.unwrap
