"""The doctor's eyes: looks at this machine without sending anything anywhere, and within a time limit of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from oneseat.assembly import (
    SystemClock,
    build_codex,
    build_provider,
    find_paths,
    keep_limits,
    new_run_id,
    policy_view,
    read_settings,
    redactor,
)
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.facts import CodexFacts, CredentialFacts, LoginFacts
from oneseat.contract.receipt import Wallet
from oneseat.contract.reports.compat import CanaryReport
from oneseat.contract.reports.doctor import CodexCheckup, Observations, OpenFile, Report
from oneseat.contract.request import Permitted, Refused, Request
from oneseat.host import credentials
from oneseat.host.codex_login import codex_login
from oneseat.host.paths import Paths
from oneseat.providers.claude_cli import discovery
from oneseat.providers.codex_cli import discovery as codex_discovery
from oneseat.providers.official_cli.program import dotted
from oneseat.rules import billing, policy, policy_inputs, policy_words, readiness, untested
from oneseat.settings import Settings
from oneseat.stores.compat import CanaryResults

if TYPE_CHECKING:
    from oneseat.providers.claude_cli.provider import ClaudeCliProvider
    from oneseat.providers.codex_cli.provider import CodexCliProvider

#: The CLI answers in under a second; when it cannot reach the network it has been seen to take 20.
_LIMIT_S = 45.0
_WAYS_OUT = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NODE_EXTRA_CA_CERTS"})
_SIMULATED_LOGIN = "made up for the simulator"


async def examine(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Report:
    """Look at the CLI, the login, every credential source and the folders. Sends no prompt.

    Raises ``UsageError`` only when the settings themselves cannot be read.
    """
    snapshot = dict(os.environ if env is None else env)
    where = cwd or Path.cwd()
    paths = find_paths(snapshot)
    settings = read_settings(snapshot, where, paths)
    return readiness.assess(await _observe(snapshot, where, paths, settings))


async def ask_limits(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """Ask the CLI how full the plan's windows are, keep that in the ledger, and return how many it named. Sends no prompt.

    Raises ``OneseatError`` when the CLI does not answer or another wallet would pay, and ``UsageError`` for settings or a ledger
    that cannot be used.
    """
    snapshot = dict(os.environ if env is None else env)
    paths = find_paths(snapshot)
    settings = read_settings(snapshot, cwd or Path.cwd(), paths)
    provider = build_provider(settings, snapshot, paths, redactor(snapshot).redact, asks_usage=True)
    return await _asked(provider, snapshot, cwd or Path.cwd(), settings)


async def ask_codex_limits(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> int:
    """The same of the official `codex` CLI. Raises ``OneseatError`` ``provider.not_found`` where it is not installed."""
    snapshot = dict(os.environ if env is None else env)
    paths = find_paths(snapshot)
    settings = read_settings(snapshot, cwd or Path.cwd(), paths)
    provider = build_codex(settings, snapshot, paths, redactor(snapshot).redact)
    return await _asked(provider, snapshot, cwd or Path.cwd(), settings)


async def _asked(
    provider: ClaudeCliProvider | CodexCliProvider, env: Mapping[str, str], cwd: Path, settings: Settings
) -> int:
    permitted, limit_s = _permitted(cwd, settings, env), min(settings.watchdog_start_s, _LIMIT_S)
    try:
        async with provider.open(permitted, new_run_id()) as session, asyncio.timeout(limit_s):
            cleared = billing.clear(permitted, await session.credential_facts(), provider.wallet)
            if isinstance(cleared, Refused) and cleared.error.code != "billing.credits_next":
                raise OneseatError(cleared.error)
            found = await session.limits(SystemClock().utc_iso())
    except TimeoutError:
        raise OneseatError(_silent(limit_s)) from None
    if found:
        keep_limits(env, provider.name, found, simulated=provider.wallet == "simulator")
    return len(found)


async def _observe(env: Mapping[str, str], cwd: Path, paths: Paths, settings: Settings) -> Observations:
    (facts, version, failure), codex = await asyncio.gather(
        _ask_cli(env, cwd, settings), _ask_codex(env, cwd, paths, settings)
    )
    refusal, wallet = _gate(facts, settings, env)
    path = _cli_path(settings, env)
    beyond = (discovery.parse_version(version or "") or discovery.NEWEST) > discovery.NEWEST
    canary = _stored_trial(path, paths)
    return Observations(
        cli_path=path,
        cli_version=version,
        tested=(dotted(discovery.OLDEST), dotted(discovery.NEWEST)),
        beyond_tested=beyond,
        logins=_logins(env, cwd, settings),
        found=facts.kept if facts is not None else credentials.scan(env, cwd),
        proxies=_kept_proxies(env, settings),
        passed=settings.claude_pass_environment,
        settings_file=str(paths.config_dir / "oneseat.toml"),
        facts=facts,
        failure=failure,
        refusal=refusal,
        wallet=wallet,
        folders=tuple(map(str, (paths.config_dir, paths.data_dir, paths.state_dir))),
        folder_failure=_folder_failure(paths),
        open_files=tuple(OpenFile(path=f.path, mode=f.mode, fix=f.fix) for f in paths.findings()),
        simulator=settings.simulator_url,
        now_ms=int(time.time() * 1000),
        codex=codex,
        canary=canary,
        old_pack=_old_pack(settings, env),
        canary_refusal=untested.refusal(canary, dotted(discovery.NEWEST))
        if canary is not None and beyond and settings.canary_auto
        else None,
    )


async def _ask_cli(
    env: Mapping[str, str], cwd: Path, settings: Settings
) -> tuple[CredentialFacts | None, str | None, ErrorInfo | None]:
    """What the CLI says, the version it named as far as it came, and why it said nothing."""
    permitted = policy.decide(
        Request(prompt="(none: the doctor sends nothing)", cwd=str(cwd)), policy_view(settings, env)
    )
    if isinstance(permitted, Refused):
        return None, None, permitted.error
    limit_s = min(settings.watchdog_start_s, _LIMIT_S)
    version = None
    try:
        async with build_provider(settings, env, find_paths(env), redactor(env).redact).open(
            permitted, new_run_id()
        ) as session:
            try:
                async with asyncio.timeout(limit_s):
                    facts = await session.credential_facts()
            finally:
                version = session.capabilities.cli_version
            return facts, version, None
    except TimeoutError:
        return None, version, _silent(limit_s)
    except OneseatError as error:
        return None, version, error.info


async def _ask_codex(
    env: Mapping[str, str], cwd: Path, paths: Paths, settings: Settings
) -> CodexCheckup | None:
    """What the official `codex` CLI says; ``None`` where it is not installed and nobody names one."""
    try:
        path = codex_discovery.find_executable(settings.codex_path, env.get("PATH"))
    except OneseatError:
        return None
    provider = build_codex(settings, env, paths, redactor(env).redact)
    facts, version, failure = CodexFacts(login=codex_login(provider.folder)), None, None
    limit_s = min(settings.watchdog_start_s, _LIMIT_S)
    permitted = _permitted(cwd, settings, env)
    try:
        async with provider.open(permitted, new_run_id()) as session:
            try:
                async with asyncio.timeout(limit_s):
                    facts = await session.credential_facts()
            finally:
                version = session.capabilities.cli_version
    except TimeoutError:
        failure = _silent(limit_s)
    except OneseatError as error:
        failure = error.info
    cleared = billing.clear(permitted, facts, provider.wallet)
    return CodexCheckup(
        path=path,
        version=version,
        tested=dotted(codex_discovery.NEWEST),
        auth_method=facts.auth_method,
        plan=facts.plan,
        login=facts.login,
        wallet=cleared.wallet,
        kept=facts.kept,
        refusal=failure or (cleared.error if isinstance(cleared, Refused) else None),
    )


def _permitted(cwd: Path, settings: Settings, env: Mapping[str, str]) -> Permitted:
    """A request that is never sent. Raises ``OneseatError`` when the policy does not even allow that."""
    asked = Request(prompt="(none: only a question)", cwd=str(cwd))
    permitted = policy.decide(asked, policy_view(settings, env))
    if isinstance(permitted, Refused):
        raise OneseatError(permitted.error)
    return permitted


def _old_pack(settings: Settings, env: Mapping[str, str]) -> str | None:
    view = policy_view(settings, env)
    return policy_words.age(view.pack, policy_inputs.pack_state(view.pack, view.day))


def _silent(limit_s: float) -> ErrorInfo:
    return ErrorInfo(
        code="provider.silent",
        message=f"The official CLI did not say who would pay within {limit_s:g} s",
        hint="Check the network, then run `oneseat doctor` again",
        whose_turn="provider",
    )


def _gate(
    facts: CredentialFacts | None, settings: Settings, env: Mapping[str, str]
) -> tuple[ErrorInfo | None, Wallet]:
    if facts is None:
        return None, "unknown"
    expected: Wallet = "plan" if settings.simulator_url is None else "simulator"
    view = policy_view(settings, env)
    permitted = policy.for_seat(policy.decide(Request(prompt="(none)", cwd="/"), view))
    if isinstance(permitted, Refused):
        return permitted.error, "unknown"
    cleared = billing.clear(permitted, facts, expected)
    if isinstance(cleared, Refused):
        return cleared.error, cleared.wallet
    confirmed = policy.confirm(permitted, facts, view)
    return (confirmed.error if isinstance(confirmed, Refused) else None), cleared.wallet


def _cli_path(settings: Settings, env: Mapping[str, str]) -> str | None:
    try:
        return discovery.find_executable(settings.claude_path, env.get("PATH"))
    except OneseatError:
        return None


def _stored_trial(executable: str | None, paths: Paths) -> CanaryReport | None:
    if executable is None:
        return None
    try:
        return CanaryResults(paths.canary_results).report(discovery.identify(executable))
    except OSError:
        return None


def _logins(env: Mapping[str, str], cwd: Path, settings: Settings) -> tuple[LoginFacts, ...]:
    if settings.simulator_url is not None:
        return (LoginFacts(kind=settings.simulator_login, place=_SIMULATED_LOGIN),)
    places = credentials.Places.find(env, cwd)
    first = credentials.login_facts(env, places.config_dir)
    if first.kind != "token":
        return (first,)
    return first, credentials.login_facts({}, places.config_dir)


def _kept_proxies(env: Mapping[str, str], settings: Settings) -> tuple[str, ...]:
    """The ways out that the CLI is not told of, in capitals as settings name them, with the exceptions that go with them."""
    kept = {name.upper() for name, value in env.items() if value} - set(settings.claude_pass_environment)
    proxies = kept & _WAYS_OUT
    return tuple(sorted(proxies | (kept & {"NO_PROXY"} if proxies else set())))


def _folder_failure(paths: Paths) -> ErrorInfo | None:
    try:
        paths.ensure()
    except UsageError as error:
        return error.info
    return None
