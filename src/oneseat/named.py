"""The projects and the clients of the owner's settings, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

from oneseat.assembly import find_paths, read_projects
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.settings import CLIENTS, Client, Project, read_named

__all__ = ["Client", "Project", "find_client", "find_project"]

_Row = TypeVar("_Row")


def find_project(name: str, env: Mapping[str, str] | None = None) -> Project:
    """A project of the owner's settings. Raises ``UsageError`` ``usage.unknown_project``, and those of the settings."""
    projects = read_projects(os.environ if env is None else env)
    return _found(name, projects, kind="project", code="usage.unknown_project", least='directory = "~/NAME"')


def find_client(name: str, env: Mapping[str, str] | None = None) -> Client:
    """A client of the owner's settings. Raises ``UsageError`` ``usage.unknown_client``, and those of the settings."""
    clients = read_named(CLIENTS, find_paths(os.environ if env is None else env).config_dir)
    return _found(name, clients, kind="client", code="usage.unknown_client", least='work_of = "client"')


def _found(name: str, rows: Mapping[str, _Row], *, kind: str, code: str, least: str) -> _Row:
    """The row of a name; ``least`` is what a new one needs."""
    if name in rows:
        return rows[name]
    near = get_close_matches(name, rows, n=1)
    there = ", ".join(sorted(rows)) or "none"
    raise UsageError(
        ErrorInfo(
            code=code,
            message=f"Unknown {kind}: `{name}`\n  {kind}s in your oneseat.toml: {there}",
            hint=f"Did you mean this: `--{kind} {near[0]}`"
            if near
            else f"Add it to your oneseat.toml: `[{kind}s.NAME]` with `{least}`",
        )
    )
