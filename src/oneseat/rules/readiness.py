"""Is this machine ready for a run? Facts to findings, each with one fix."""

from __future__ import annotations

from collections.abc import Iterator

from oneseat.contract.checkup import CheckupFinding, Effect, Observations, Report, SourceRow
from oneseat.contract.errors import ErrorInfo, exit_code
from oneseat.contract.facts import CredentialSource, LoginFacts, SourceKind

#: What the official CLI takes first, from the strongest to the weakest.
_PRECEDENCE: tuple[SourceKind, ...] = (
    "cloud",
    "mode",
    "base_url",
    "headers",
    "auth_token",
    "api_key",
    "key_helper",
    "oauth_token",
    "login",
    "unreadable",
    "proxy",
)
_SOON_MS = 24 * 3600 * 1000


def assess(seen: Observations) -> Report:
    """The report on what was seen."""
    findings = tuple(_findings(seen))
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
        findings=findings,
        canary=seen.canary,
    )


def _findings(seen: Observations) -> Iterator[CheckupFinding]:
    for error in (seen.folder_failure, seen.failure, seen.refusal):
        if error is not None:
            yield _problem(error)
    if seen.failure is None and seen.refusal is None:
        yield CheckupFinding(level="ok", code="ready.wallet", message=f"The wallet `{seen.wallet}` would pay")
    yield from _version(seen)
    for login in seen.logins:
        yield from _login(login, seen.now_ms)
    for source in seen.found:
        yield _kept(source)
    for name in seen.proxies:
        yield CheckupFinding(
            level="warning",
            code="environment.proxy",
            message=f"`{name}` is kept from the official CLI, which may need it to reach the vendor",
            fix=f'Put into oneseat.toml: claude.pass_environment = ["{name}"]',
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


def _problem(error: ErrorInfo) -> CheckupFinding:
    return CheckupFinding(level="problem", code=error.code, message=error.message, fix=error.hint)


def _version(seen: Observations) -> Iterator[CheckupFinding]:
    if seen.canary_refusal is not None:
        yield _problem(seen.canary_refusal)
    elif seen.canary is not None and seen.canary.broken:
        broken = ", ".join(f"`{each.name}`" for each in seen.canary.broken)
        yield CheckupFinding(
            level="warning",
            code="cli.broken_assumption",
            message=f"The official CLI `{seen.cli_version}` breaks what oneseat assumes of it: {broken}",
            fix="See what was expected and seen: `oneseat doctor --canary`",
        )
    if not seen.beyond_tested or seen.canary is not None:
        return
    yield CheckupFinding(
        level="warning",
        code="cli.untested",
        message=f"The official CLI `{seen.cli_version}` is newer than the newest one tested, {seen.tested[1]}",
        fix="Try it on the simulator: `oneseat doctor --canary`",
    )


def _login(login: LoginFacts, now_ms: int) -> Iterator[CheckupFinding]:
    if login.problem is not None:
        yield CheckupFinding(
            level="warning",
            code="login.unreadable",
            message=f"The stored login cannot be understood: `{login.place}`\n  {login.problem}",
            fix="Sign in again: run `claude` and type /login",
        )
    if login.mode is not None and login.mode & 0o077:
        yield CheckupFinding(
            level="warning",
            code="login.open",
            message=f"Other users can read your login: `{login.place}` (mode {login.mode:o})",
            fix=f"`chmod 600 {login.place}`",
        )
    if login.expires_at_ms is not None and login.expires_at_ms < now_ms:
        yield CheckupFinding(
            level="warning",
            code="login.expired",
            message="The stored login has expired; the official CLI renews it with its next request if it can",
            fix="If runs fail with `provider.auth_rejected`: run `claude` and type /login",
        )
    elif login.expires_at_ms is not None and login.expires_at_ms - now_ms < _SOON_MS:
        hours = (login.expires_at_ms - now_ms) / 3_600_000
        yield CheckupFinding(
            level="ok",
            code="login.expires_soon",
            message=f"The stored login is good for {hours:.1f} h; the official CLI renews it by itself",
        )


def _kept(source: CredentialSource) -> CheckupFinding:
    return CheckupFinding(
        level="warning",
        code="source.kept",
        message=f"`{source.name}` in {source.place} could change who pays; oneseat keeps it from the official CLI",
        fix=_remove(source),
    )


def _remove(source: CredentialSource) -> str:
    if source.scope == "environment":
        return f"If nothing else needs it: `unset {source.name}`"
    return f"If nothing else needs it, take it out of `{source.place}`"


def _sources(seen: Observations) -> Iterator[SourceRow]:
    present = seen.facts.present if seen.facts is not None else ()
    rows = [(source, _row(source, "would win")) for source in present]
    rows += [(source, _row(source, "is kept from the child")) for source in seen.found]
    rows.sort(key=lambda pair: _PRECEDENCE.index(pair[0].kind))
    yield from (row for _, row in rows)
    wins = seen.refusal is None
    for login in seen.logins:
        if login.kind == "none":
            continue
        effect: Effect = "pays" if wins and seen.simulator is None else "is ignored"
        yield SourceRow(name=f"login ({login.kind})", kind="login", place=login.place, effect=effect)
        # The CLI takes the first login it finds: a token in the environment, then the stored one.
        wins = False


def _row(source: CredentialSource, effect: Effect) -> SourceRow:
    return SourceRow(name=source.name, kind=source.kind, place=source.place, effect=effect)
