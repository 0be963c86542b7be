"""The projects and the clients of the owner's settings, by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches

from oneseat.assembly import find_paths, read_projects
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.settings import CLIENTS, Client, Project, read_named

__all__ = ["Client", "Project", "find_client", "find_project"]


def find_project(name: str, env: Mapping[str, str] | None = None) -> Project:
    """A project of the owner's settings. Raises ``UsageError`` ``usage.unknown_project``, and those of the settings."""
    projects = read_projects(os.environ if env is None else env)
    if name in projects:
        return projects[name]
    near = get_close_matches(name, projects, n=1)
    there = ", ".join(sorted(projects)) or "none"
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_project",
            message=f"Unknown project: `{name}`\n  projects in your oneseat.toml: {there}",
            hint=f"Did you mean this: `--project {near[0]}`"
            if near
            else 'Add it to your oneseat.toml: `[projects.NAME]` with `directory = "~/NAME"`',
        )
    )


def find_client(name: str, env: Mapping[str, str] | None = None) -> Client:
    """A client of the owner's settings. Raises ``UsageError`` ``usage.unknown_client``, and those of the settings."""
    clients = read_named(CLIENTS, find_paths(os.environ if env is None else env).config_dir)
    if name in clients:
        return clients[name]
    near = get_close_matches(name, clients, n=1)
    there = ", ".join(sorted(clients)) or "none"
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_client",
            message=f"Unknown client: `{name}`\n  clients in your oneseat.toml: {there}",
            hint=f"Did you mean this: `--client {near[0]}`"
            if near
            else 'Add it to your oneseat.toml: `[clients.NAME]` with `work_of = "client"`',
        )
    )
