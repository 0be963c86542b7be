"""What the settings name and a run needs: programs, folders, files, tools, models, the policy pack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.request import Request
from oneseat.host.keys.file import read_key_file
from oneseat.host.paths import find_program
from oneseat.installation import Installation
from oneseat.rules.inputs.models import probable_model
from oneseat.settings import PROJECTS

from .requests import in_project

__all__ = ["Need", "unmet_needs"]


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
    meant = probable_model(name)
    if meant is not None:
        raise UsageError(
            ErrorInfo(
                code="usage.unknown_model",
                message=f"Unknown model: `{name}`\n  it is nearly the name of another one",
                hint=f"Did you mean this: `{meant}`",
            )
        )
