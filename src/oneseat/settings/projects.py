"""``[projects.NAME]`` tables: a directory with its own tools, instructions and conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

import msgspec

from oneseat.contract.request import PermissionMode

from .checks import DOLLARS, INSTRUCTIONS, PATH, PATHS, TEXT, Check, one_of, whole

#: Part of file names and of commands.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One project. ``directory`` may begin with ``~/``; what is ``None`` is as in a run without a project."""

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


#: What may stand in a project's table: what it takes, and what it means.
KEYS: Mapping[str, tuple[Check, str]] = {
    "directory": (PATH, "Where the project's runs work; a conversation is bound to it"),
    "tools": (TEXT, "What the assistant may use: none, read, edit, all, or tool names with commas"),
    "permission_mode": (one_of(*get_args(PermissionMode)), "How the assistant's questions are decided"),
    "add_dirs": (PATHS, "More directories that the tools may use"),
    "system": (INSTRUCTIONS, "Instructions for the assistant"),
    "system_file": (PATH, "A file with the instructions, in place of `system`"),
    "model": (TEXT, "The model when a request names none"),
    "fallback_model": (
        TEXT,
        "The model that answers when the first one is overloaded, not there or its own window full",
    ),
    "mcp_config": (PATH, "A JSON file with the MCP servers of the project, in the usual `mcpServers` shape"),
    "max_budget_usd": (
        DOLLARS,
        "What one run may cost at list price; counted on a plan too, where nothing is charged",
    ),
    "max_turns": (whole(1, 10_000), "How often one run may ask the model"),
    "day_budget_usd": (DOLLARS, "What the project's runs of one day may cost together at list price"),
}


def is_name(text: str) -> bool:
    """Whether a project may be called so: letters, digits, dots, dashes and underscores."""
    return _NAME.fullmatch(text) is not None
