"""What would keep a run from being served, as far as it shows without starting, sending or reserving anything."""

from __future__ import annotations

from oneseat.compat.installed import refusal
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate
from oneseat.contract.stations import Permitted, Refused
from oneseat.host.paths import working_directory
from oneseat.installation import Installation
from oneseat.providers.claude_cli import credentials, discovery
from oneseat.providers.codex_cli import discovery as codex_discovery
from oneseat.rules.policy import decide as policy
from oneseat.stores.compat import CanaryResults

from .providers import KeyProviders, unreachable_simulator

__all__ = ["everything_refused", "foreseen", "key_failure"]

_SIGN_IN = "Sign in with your plan: run `claude` and type /login, or create a token with `claude setup-token`"


async def foreseen(here: Installation, candidate: Candidate) -> ErrorInfo | None:
    """Why a run on this candidate would fail at its start; ``None`` when nothing speaks against it yet."""
    error = await unreachable_simulator(here)
    if error is not None:
        return error
    if candidate.key is None:
        return _seat_failure(here, candidate.provider)
    return key_failure(here, candidate) if here.settings.simulator_url is None else None


def key_failure(here: Installation, candidate: Candidate) -> ErrorInfo | None:
    """Why a candidate that an API key pays cannot serve: no SDK, or no key. Nothing of the key is kept."""
    from .keys import key_store  # noqa: PLC0415 - most routes have no key

    name = candidate.key or ""
    try:
        KeyProviders(here).of(candidate.provider, name)
        if here.keys[name].needed:
            key_store(here).get(name)
    except OneseatError as error:
        return error.info
    return None


def everything_refused(here: Installation) -> ErrorInfo | None:
    """Why the policy refuses an ordinary request of the owner's on every candidate; ``None`` when one may serve it."""
    request = Request(prompt="(none)", cwd=str(working_directory()))
    decided = policy.decide(request, here.policy_view)
    if isinstance(decided, Refused):
        return decided.error
    return _not_payable(decided, (here.routes.seat, *here.routes.fallback))


def _not_payable(permitted: Permitted, candidates: tuple[Candidate, ...]) -> ErrorInfo | None:
    if any(each.paid_from in permitted.paid_from for each in candidates):
        return None
    return permitted.objection


def _seat_failure(here: Installation, provider: str) -> ErrorInfo | None:
    try:
        if provider == "codex-cli":
            codex_discovery.find_executable(here.settings.codex_path, here.env.get("PATH"))
            return _signed_out(here, provider)
        executable = discovery.find_executable(here.settings.claude_path, here.env.get("PATH"))
    except OneseatError as error:
        return error.info
    return _untested(here, executable) or _signed_out(here, provider)


def _untested(here: Installation, executable: str) -> ErrorInfo | None:
    """The refusal of an untested CLI that was tried before; one that was never tried is tried by its first run."""
    try:
        file = discovery.identify(executable)
        results = CanaryResults(here.paths.canary_results)
        version, report = results.version(file), results.report(file)
    except OSError:
        return None
    known = discovery.parse_version(version or "")
    if report is None or known is None or known <= discovery.NEWEST or not here.settings.canary_auto:
        return None
    return refusal(report)


def _signed_out(here: Installation, provider: str) -> ErrorInfo | None:
    settings = here.settings
    if settings.simulator_url is not None:
        if settings.simulator_login != "none":
            return None
        hint = "Simulate a login: `export ONESEAT_SIMULATOR_LOGIN=token`"
        return _no_login("this is a simulated run, and it has no made-up login either", hint)
    if provider == "codex-cli":
        return None  # what it can sign in with, only it knows
    login = credentials.login_facts(here.env, credentials.ClaudePaths.find(here.env, here.cwd).config_dir)
    if login.kind != "none":
        return None
    return _no_login(f"there is no login at `{login.place}`", _SIGN_IN)


def _no_login(why: str, hint: str) -> ErrorInfo:
    return ErrorInfo(
        code="provider.signed_out",
        message=f"The official CLI is not signed in to a plan\n  {why}",
        hint=hint,
    )
