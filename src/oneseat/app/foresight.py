"""What would keep a run from being served, and what the settings name in vain. Nothing is started, sent or reserved for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from oneseat.compat.installed import refusal
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.request import Request
from oneseat.contract.routing import Candidate
from oneseat.contract.stations import Permitted, Refused
from oneseat.host.keys.file import read_key_file
from oneseat.host.paths import find_program, working_directory
from oneseat.installation import Installation
from oneseat.providers.claude_cli import credentials, discovery
from oneseat.providers.codex_cli import discovery as codex_discovery
from oneseat.rules.inputs.models import mistyped_model
from oneseat.rules.policy import decide as policy
from oneseat.settings import PROJECTS
from oneseat.stores.compat import CanaryResults

from .keys import key_store
from .providers import KeyProviders, unreachable_simulator
from .requests import in_project

__all__ = ["Need", "everything_refused", "foreseen", "key_failure", "unmet_needs"]

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


class Need(msgspec.Struct, frozen=True):
    """A setting by its dotted name in parts, and why a run that needs it would fail."""

    key: tuple[str, ...]
    error: ErrorInfo


def unmet_needs(here: Installation) -> list[Need]:
    """What a run would not find. The settings themselves have to be right."""
    checks = [*_programs(here), *_models(here), *_key_files(here), *_projects(here)]
    found = [Need(key, error) for key, check in checks if (error := _failure(check)) is not None]
    pack = _failure(here.policy_files.read)
    return [*found, *([Need(("policy",), pack)] if pack is not None else [])]


_Check = tuple[tuple[str, ...], Callable[[], object]]


def _failure(check: Callable[[], object]) -> ErrorInfo | None:
    try:
        check()
    except OneseatError as error:
        return error.info
    return None


def _programs(here: Installation) -> Iterator[_Check]:
    settings = here.settings
    for name, path in (("claude", settings.claude_path), ("codex", settings.codex_path)):
        if path is not None:
            yield (name, "path"), _calling(_check_program, path, name)


def _models(here: Installation) -> Iterator[_Check]:
    settings = here.settings
    yield ("claude", "model"), _calling(_check_model, settings.claude_model)
    yield ("codex", "model"), _calling(_check_model, settings.codex_model)
    for role in here.routes.roles.values():
        for candidate in role.candidates:
            if candidate.model is not None and candidate.provider != "openai-compatible":
                yield ("roles", role.name, "candidates"), _calling(_check_model, candidate.model)


def _key_files(here: Installation) -> Iterator[_Check]:
    for key in here.keys.values():
        if key.file is not None:
            yield ("keys", key.name, "file"), _calling(read_key_file, key.name, key.file)


def _projects(here: Installation) -> Iterator[_Check]:
    for name, project in here.named(PROJECTS).items():
        yield ("projects", name), _calling(in_project, here, Request(prompt="(none)", cwd=os.sep), name)
        for key, model in (("model", project.model), ("fallback_model", project.fallback_model)):
            if model is not None:
                yield ("projects", name, key), _calling(_check_model, model)


def _calling(check: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: check(*arguments)


def _check_program(path: str, name: str) -> None:
    if find_program(path, None) is None:
        raise UsageError(
            ErrorInfo(
                code="provider.not_found",
                message=f"The official CLI cannot be run: `{Path(path)}`\n  it is no program that this user may start",
                hint=f"Name the program, or remove the setting: `command -v {name}`",
            )
        )


def _check_model(name: str) -> None:
    error = mistyped_model(name)
    if error is not None:
        raise UsageError(error)
