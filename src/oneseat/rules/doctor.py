"""Turns observations of this machine into findings: the most severe first, each with a fix where it needs one."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from oneseat.contract.billing_names import CLAUDE_NAMES
from oneseat.contract.errors import ErrorInfo, exit_code
from oneseat.contract.facts import CredentialSource, LoginFacts, Scope, SourceKind
from oneseat.contract.reports.doctor import CheckupFinding, Effect, Level, Observations, Report, SourceRow
from oneseat.rules.policy.messages import RENEW

#: The precedence of credentials in the official CLI, strongest first. A base URL and headers apply to any of them.
_KINDS: tuple[SourceKind, ...] = (
    "cloud",
    "base_url",
    "headers",
    "api_key",
    "key_helper",
    "auth_token",
    "mode",
    "oauth_token",
    "login",
    "unreadable",
    "proxy",
)
#: The precedence of places of one kind of source: settings override the environment.
_SCOPES: tuple[Scope, ...] = (
    "managed_settings",
    "child",
    "local_settings",
    "project_settings",
    "user_settings",
    "global_config",
    "environment",
    "login",
    "dotenv",
)
_LEVELS: tuple[Level, ...] = ("problem", "warning", "ok")
_SOON_MS = 24 * 3600 * 1000
_INFERENCE = "user:inference"
_SIGN_IN = "Sign in again: run `claude` and type /login"


def assess(seen: Observations) -> Report:
    """The report on the observations."""
    findings = sorted(_findings(seen), key=lambda finding: _LEVELS.index(finding.level))
    problems = [finding for finding in findings if finding.level == "problem"]
    return Report(
        ready=not problems,
        exit_code=min((exit_code(problem.code) for problem in problems), default=0),
        wallet=seen.wallet,
        cli_path=seen.cli_path,
        cli_version=seen.cli_version,
        tested=seen.tested,
        logins=seen.logins,
        sources=tuple(_sources(seen)),
        folders=seen.folders,
        simulator=seen.simulator,
        findings=tuple(findings),
        canary=seen.canary,
        codex=seen.codex,
    )


def _findings(seen: Observations) -> Iterator[CheckupFinding]:
    refusal = seen.refusal if seen.instead is None else None
    for error in dict.fromkeys((seen.folder_failure, seen.failure, refusal)):
        if error is not None:
            yield _problem(error)
    yield from _elsewhere(seen)
    if seen.failure is None and seen.refusal is None:
        yield CheckupFinding(level="ok", code="ready.wallet", message=f"The wallet `{seen.wallet}` would pay")
    yield from _version(seen)
    for login in seen.logins:
        yield from _login(login, seen.now_ms)
    for source in sorted(seen.found, key=_strength):
        yield _found(source)
    yield from _proxies(seen)
    if seen.old_pack is not None:
        yield CheckupFinding(
            level="warning",
            code="pack.old",
            message=seen.old_pack,
            fix=RENEW,
        )
    for file in seen.open_files:
        yield CheckupFinding(
            level="warning",
            code="folder.open",
            message=f"Other users can open `{file.path}` (mode {file.mode:o})",
            fix=f"`{file.fix}`",
        )
    if seen.simulator is not None:
        yield CheckupFinding(
            level="ok",
            code="simulator.on",
            message=f"Runs go to the simulator `{seen.simulator}`: the real login is not used, nothing is paid",
            fix="`unset ONESEAT_SIMULATOR_URL` for real runs",
        )


def _elsewhere(seen: Observations) -> Iterator[CheckupFinding]:
    """Where runs go besides the plan: in its place, or in vain."""
    if seen.instead is not None:
        yield CheckupFinding(
            level="warning",
            code="plan.not_used",
            message=f"Your plan is not used, {seen.instead.candidate} serves runs instead\n  {seen.instead.why.message}",
            fix=seen.instead.why.hint,
        )
    for each in seen.unusable:
        yield CheckupFinding(
            level="warning",
            code=each.error.code,
            message=f"`{each.place}` names what cannot serve: {each.candidate}\n  {each.error.message}",
            fix=each.error.hint,
        )


def _problem(error: ErrorInfo) -> CheckupFinding:
    fix = error.hint or "Try again, and report it if it persists: `oneseat doctor --json`"
    return CheckupFinding(level="problem", code=error.code, message=error.message, fix=fix)


def _version(seen: Observations) -> Iterator[CheckupFinding]:
    if seen.canary_refusal is not None:
        yield _problem(seen.canary_refusal)
    elif seen.canary is not None and seen.canary.broken:
        broken = ", ".join(f"`{each.name}`" for each in seen.canary.broken)
        yield CheckupFinding(
            level="warning",
            code="cli.broken_assumption",
            message=f"The official CLI `{seen.cli_version}` breaks oneseat's assumptions: {broken}",
            fix="See what was expected and seen: `oneseat doctor --canary`",
        )
    if not seen.beyond_tested or seen.canary is not None:
        return
    yield CheckupFinding(
        level="warning",
        code="cli.untested",
        message=f"The official CLI `{seen.cli_version}` is newer than the newest one tested, {seen.tested[1]}",
        fix="Check it on the simulator: `oneseat doctor --canary`",
    )


def _login(login: LoginFacts, now_ms: int) -> Iterator[CheckupFinding]:
    if login.problem is not None:
        yield CheckupFinding(
            level="warning",
            code="login.unreadable",
            message=f"The stored login cannot be parsed: `{login.place}`\n  {login.problem}",
            fix=_SIGN_IN,
        )
    if login.mode is not None and login.mode & 0o077:
        yield CheckupFinding(
            level="warning",
            code="login.open",
            message=f"Other users can read your login: `{login.place}` (mode {login.mode:o})",
            fix=f"`chmod 600 {quote(login.place)}`",
        )
    if login.scopes and _INFERENCE not in login.scopes:
        yield CheckupFinding(
            level="warning",
            code="login.no_inference",
            message=f"The stored login has no permission to call a model: `{login.place}`\n  it lacks the scope `{_INFERENCE}`",
            fix=_SIGN_IN,
        )
    if login.expires_at_ms is not None:
        yield from _expiry(login.expires_at_ms - now_ms)


def _expiry(left_ms: int) -> Iterator[CheckupFinding]:
    if left_ms < 0:
        yield CheckupFinding(
            level="warning",
            code="login.expired",
            message="The stored login has expired; the official CLI tries to renew it with its next request",
            fix="If runs fail with `provider.auth_rejected`: run `claude` and type /login",
        )
    elif left_ms < _SOON_MS:
        yield CheckupFinding(
            level="ok",
            code="login.expires_soon",
            message=f"The stored login is valid for {left_ms / 3_600_000:.1f} h; the official CLI renews it automatically",
        )


def _found(source: CredentialSource) -> CheckupFinding:
    """The finding for a credential source in the environment: its kind, its effect, and what oneseat does about it."""
    place = "your environment" if source.scope == "environment" else f"`{source.place}`"
    if source.kind == "unreadable":
        message = f"A file that could name another payer cannot be parsed: {place}"
        fix = f"Repair or remove {place}"
    else:
        message = f"`{source.name}` in {place}: {_meaning(source)}"
        fix = f"If nothing else needs it: {_remove(source)}"
    if source.scope == "dotenv":
        done = "the official CLI does not read such files; a wrapper script may"
        return CheckupFinding(level="ok", code="source.ignored", message=f"{message}\n  {done}", fix=fix)
    done = "oneseat withholds it from the official CLI"
    return CheckupFinding(level="warning", code="source.kept", message=f"{message}\n  {done}", fix=fix)


def _remove(source: CredentialSource) -> str:
    if source.scope == "environment":
        return f"`unset {source.name}`"
    return f"remove `{source.name}` from `{source.place}`"


def _meaning(source: CredentialSource) -> str:
    known = {entry.name: entry for entry in CLAUDE_NAMES.settings}
    entry = known.get(source.name) or CLAUDE_NAMES.find(source.name)
    return entry.effect if entry is not None else "could change who pays"


def _proxies(seen: Observations) -> Iterator[CheckupFinding]:
    if not seen.proxies or seen.simulator is not None:  # a simulated run stays on this machine
        return
    wanted = ", ".join(f'"{name}"' for name in dict.fromkeys((*seen.passed, *seen.proxies)))
    yield CheckupFinding(
        level="warning",
        code="environment.proxy",
        message=f"Withheld from the official CLI, which may need them to reach the vendor: {_listed(seen.proxies)}",
        fix=f"Add to `{seen.settings_file}`: `claude.pass_environment = [{wanted}]`",
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sources(seen: Observations) -> Iterator[SourceRow]:
    present = seen.facts.exposed if seen.facts is not None else ()
    # The CLI repeats what a file says; the file is the better place to name.
    reached = {(source.name, source.scope): source for source in reversed(present)}
    effects: dict[CredentialSource, Effect] = dict.fromkeys(reached.values(), "would win")
    for source in seen.found:
        effects.setdefault(source, "is ignored" if source.scope == "dotenv" else "is kept from the child")
    for source in sorted(effects, key=_strength):
        yield SourceRow(name=source.name, kind=source.kind, place=source.place, effect=effects[source])
    yield from _login_rows(seen)


def _login_rows(seen: Observations) -> Iterator[SourceRow]:
    """The logins, in the CLI's order: a token in the environment, then the stored one."""
    first: Effect = "pays" if seen.failure is None else "would win"
    effect: Effect = first if seen.refusal is None else "is ignored"
    for login in seen.logins:
        if login.kind == "none":
            continue
        yield SourceRow(name=f"login ({login.kind})", kind="login", place=login.place, effect=effect)
        effect = "is ignored"


def _strength(source: CredentialSource) -> tuple[int, int, str]:
    return _KINDS.index(source.kind), _SCOPES.index(source.scope), source.name
