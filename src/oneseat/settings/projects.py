"""``[projects.NAME]`` tables: a directory with its own tools, instructions and conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from oneseat.contract.request import PermissionMode, PurposeWords

from .checks import DOLLARS, INSTRUCTIONS, PATH, PATHS, TEXT, one_of, whole
from .clients import PURPOSE_KEYS, purpose_in, without_purpose
from .tables import Contradiction, NamedTable


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One project. ``directory`` may start with ``~/``; ``None`` means as in a run without a project."""

    name: str
    directory: str
    tools: str | None = None
    permission_mode: PermissionMode | None = None
    add_dirs: tuple[str, ...] = ()
    system: str | None = None
    system_file: str | None = None
    model: str | None = None
    fallback_model: str | None = None
    mcp_config: str | None = None
    max_budget_usd: float | None = None
    max_turns: int | None = None
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None
    purpose: PurposeWords = PurposeWords()


def _contradiction(name: str, table: Mapping[str, object]) -> Contradiction | None:
    if "directory" not in table:
        return Contradiction("it has no `directory`", f'Set it: `directory = "~/{name}"`')
    if "system" in table and "system_file" in table:
        return Contradiction("it has both `system` and `system_file`", "Keep one of them")
    return None


def _make(**table: Any) -> Project:
    return Project(**without_purpose(table), purpose=purpose_in(table))


PROJECTS = NamedTable(
    table="projects",
    noun="Project",
    make=_make,
    contradiction=_contradiction,
    keys={
        "directory": (PATH, "Working directory of the project's runs; its conversation is tied to it"),
        "tools": (TEXT, "Allowed tools: none, read, edit, all, or tool names separated by commas"),
        "permission_mode": (
            one_of(*get_args(PermissionMode)),
            "How permission questions are answered",
        ),
        "add_dirs": (PATHS, "Additional directories the tools may use"),
        "system": (INSTRUCTIONS, "Instructions for the assistant"),
        "system_file": (PATH, "A file with the instructions, instead of `system`"),
        "model": (TEXT, "Default model"),
        "fallback_model": (
            TEXT,
            "Fallback model when the first one is overloaded, unavailable or its own window is full",
        ),
        "mcp_config": (
            PATH,
            "A JSON file with the project's MCP servers, in the usual `mcpServers` format",
        ),
        "max_budget_usd": (
            DOLLARS,
            "Budget of one run at list price; also counted on a plan, where nothing is charged",
        ),
        "max_turns": (whole(1, 10_000), "Maximum number of model turns in one run"),
        "day_budget_usd": (DOLLARS, "Daily budget of the project at list price"),
        "month_budget_usd": (DOLLARS, "Monthly budget of the project at list price"),
        **PURPOSE_KEYS,
    },
)
