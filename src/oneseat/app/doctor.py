"""Check the CLIs, logins, credential sources and folders of this machine. Sends no prompt, and ends within a time limit."""

from __future__ import annotations

import asyncio
import time

from oneseat.compat.gate import try_installed_cli
from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.facts import CodexFacts, CredentialFacts, LoginFacts
from oneseat.contract.receipt import Wallet
from oneseat.contract.reports.compat import CanaryReport
from oneseat.contract.reports.doctor import CodexCheckup, Instead, Observations, OpenFile, Report, Unusable
from oneseat.contract.request import Request
from oneseat.contract.stations import Refused
from oneseat.installation import Installation, new_run_id
from oneseat.providers.claude_cli import credentials, discovery
from oneseat.providers.cli_common.program import dotted
from oneseat.providers.codex_cli import discovery as codex_discovery
from oneseat.providers.codex_cli.login import codex_login
from oneseat.rules import compat as untested
from oneseat.rules import doctor as readiness
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.policy import decide as policy
from oneseat.rules.policy import inputs as policy_inputs
from oneseat.rules.policy import messages as policy_words
from oneseat.stores.compat import CanaryResults

from .foresight import key_failure
from .limits import answer_within_s, question, silent
from .providers import build_codex, build_provider, unreachable_simulator

__all__ = ["examine", "try_installed_cli"]

#: What a machine behind a proxy needs to reach the vendor: the way to the proxy, and the authority that signs in its name.
_WAYS_OUT = frozenset(
    {
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NODE_EXTRA_CA_CERTS",
        "NODE_USE_SYSTEM_CA",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)
_SIMULATED_LOGIN = "made up for the simulator"


async def examine(here: Installation) -> Report:
    """Look at the CLI, the login, every credential source and the folders. Sends no prompt.

    Raises ``UsageError`` only when the settings themselves cannot be read.
    """
    return readiness.assess(await _observe(here))


async def _observe(here: Installation) -> Observations:
    settings, paths = here.settings, here.paths
    (facts, version, failure), codex = await asyncio.gather(_ask_cli(here), _ask_codex(here))
    refusal, wallet = _gate(here, facts)
    unusable, instead = _elsewhere(here)
    if instead is not None:
        wallet = "api_key" if settings.simulator_url is None else "simulator"
    path = _cli_path(here)
    beyond = (discovery.parse_version(version or "") or discovery.NEWEST) > discovery.NEWEST
    canary = _stored_trial(here, path)
    return Observations(
        cli_path=path,
        cli_version=version,
        tested=(dotted(discovery.OLDEST), dotted(discovery.NEWEST)),
        beyond_tested=beyond,
        logins=_logins(here),
        found=facts.withheld if facts is not None else credentials.scan(here.env, here.cwd),
        proxies=_kept_proxies(here),
        passed=settings.claude_pass_environment,
        settings_file=str(here.settings_file),
        facts=facts,
        failure=failure or await unreachable_simulator(here),
        refusal=refusal,
        wallet=wallet,
        folders=tuple(map(str, (paths.config_dir, paths.data_dir, paths.state_dir))),
        folder_failure=_folder_failure(here),
        open_files=tuple(OpenFile(path=f.path, mode=f.mode, fix=f.fix) for f in paths.findings()),
        simulator=settings.simulator_url,
        now_ms=int(time.time() * 1000),
        codex=codex,
        canary=canary,
        old_pack=_old_pack(here),
        unusable=unusable,
        instead=instead,
        canary_refusal=untested.refusal(canary, dotted(discovery.NEWEST))
        if canary is not None and beyond and settings.canary_auto
        else None,
    )


async def _ask_cli(
    here: Installation,
) -> tuple[CredentialFacts | None, str | None, ErrorInfo | None]:
    """What the CLI says, the version it named as far as it came, and why it said nothing."""
    limit_s, version = answer_within_s(here), None
    try:
        async with build_provider(here).open(question(here), new_run_id()) as session:
            try:
                async with asyncio.timeout(limit_s):
                    facts = await session.credential_facts()
            finally:
                version = session.info.cli_version
            return facts, version, None
    except TimeoutError:
        return None, version, silent(limit_s)
    except OneseatError as error:
        return None, version, error.info


async def _ask_codex(here: Installation) -> CodexCheckup | None:
    """What the official `codex` CLI says; ``None`` where it is not installed and nobody names one."""
    try:
        path = codex_discovery.find_executable(here.settings.codex_path, here.env.get("PATH"))
    except OneseatError:
        return None
    provider = build_codex(here)
    facts, version, failure = CodexFacts(login=codex_login(provider.folder)), None, None
    limit_s, permitted = answer_within_s(here), question(here)
    try:
        async with provider.open(permitted, new_run_id()) as session:
            try:
                async with asyncio.timeout(limit_s):
                    facts = await session.credential_facts()
            finally:
                version = session.info.cli_version
    except TimeoutError:
        failure = silent(limit_s)
    except OneseatError as error:
        failure = error.info
    cleared = billing.clear(bounds.reserve(permitted, NO_BUDGET), facts, provider.wallet)
    return CodexCheckup(
        path=path,
        version=version,
        tested=dotted(codex_discovery.NEWEST),
        auth_method=facts.auth_method,
        plan=facts.plan,
        login=facts.login,
        wallet=cleared.wallet,
        kept=facts.withheld,
        refusal=failure or (cleared.error if isinstance(cleared, Refused) else None),
    )


def _old_pack(here: Installation) -> str | None:
    view = here.policy_view
    soon = policy_inputs.expires_soon(view.pack, view.day) is not None
    return policy_words.staleness_notice(view.pack, policy_inputs.pack_state(view.pack, view.day), soon=soon)


def _gate(here: Installation, facts: CredentialFacts | None) -> tuple[ErrorInfo | None, Wallet]:
    """Why an ordinary run on the plan is refused, and who would pay."""
    expected: Wallet = "plan" if here.settings.simulator_url is None else "simulator"
    view = here.policy_view
    permitted = policy.for_seat(policy.decide(Request(prompt="(none)", cwd="/"), view))
    if isinstance(permitted, Refused):
        return permitted.error, "unknown"
    if facts is None:
        return None, "unknown"
    cleared = billing.clear(bounds.reserve(permitted, NO_BUDGET), facts, expected)
    if isinstance(cleared, Refused):
        return cleared.error, cleared.wallet
    confirmed = policy.confirm(permitted, facts, view)
    return (confirmed.error if isinstance(confirmed, Refused) else None), cleared.wallet


def _elsewhere(here: Installation) -> tuple[tuple[Unusable, ...], Instead | None]:
    """What cannot be used of the keys that the settings send runs to, and who serves runs that the plan may not."""
    routes = here.routes
    named = {"fallback.to": routes.fallback} | {
        f"roles.{role.name}": role.candidates for role in routes.roles.values()
    }
    failures = {
        (place, each): error
        for place, candidates in named.items()
        for each in candidates
        if each.key is not None and (error := key_failure(here, each)) is not None
    }
    unusable = tuple(
        Unusable(place=place, candidate=each.label, error=error) for (place, each), error in failures.items()
    )
    usable = [each for each in routes.fallback if ("fallback.to", each) not in failures]
    decided = policy.decide(Request(prompt="(none)", cwd="/"), here.policy_view)
    if isinstance(decided, Refused) or decided.objection is None:
        return unusable, None
    serves = next((each for each in usable if each.paid_from in decided.paid_from), None)
    return unusable, None if serves is None else Instead(candidate=serves.label, why=decided.objection)


def _cli_path(here: Installation) -> str | None:
    try:
        return discovery.find_executable(here.settings.claude_path, here.env.get("PATH"))
    except OneseatError:
        return None


def _stored_trial(here: Installation, executable: str | None) -> CanaryReport | None:
    if executable is None:
        return None
    try:
        return CanaryResults(here.paths.canary_results).report(discovery.identify(executable))
    except OSError:
        return None


def _logins(here: Installation) -> tuple[LoginFacts, ...]:
    settings = here.settings
    if settings.simulator_url is not None:
        return (LoginFacts(kind=settings.simulator_login, place=_SIMULATED_LOGIN),)
    places = credentials.ClaudePaths.find(here.env, here.cwd)
    first = credentials.login_facts(here.env, places.config_dir)
    if first.kind != "token":
        return (first,)
    return first, credentials.login_facts({}, places.config_dir)


def _kept_proxies(here: Installation) -> tuple[str, ...]:
    """The ways out that the CLI is not told of, in capitals as settings name them, with the exceptions that go with them."""
    kept = {name.upper() for name, value in here.env.items() if value}
    kept -= set(here.settings.claude_pass_environment)
    proxies = kept & _WAYS_OUT
    return tuple(sorted(proxies | (kept & {"NO_PROXY"} if proxies else set())))


def _folder_failure(here: Installation) -> ErrorInfo | None:
    try:
        here.paths.ensure()
        here.paths.check_space()
    except UsageError as error:
        return error.info
    return None
