"""Tool profiles: named sets of what the assistant may do."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import get_args

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.request import MCP_PREFIX, PermissionMode, Tools

_READ = ("Glob", "Grep", "Read")
_EDIT = (*_READ, "Edit", "Write")
#: Without the CLI's timers, messages and background workers, which would outlive the last turn of a run.
_ALL = (*_EDIT, "Bash", "NotebookEdit", "Task", "WebFetch", "WebSearch")
#: What else the official CLI has or had. A name beyond these may be new; one that is nearly one of them is a slip.
_OTHERS = (
    "Agent",
    "AskUserQuestion",
    "BashOutput",
    "CronCreate",
    "CronDelete",
    "CronList",
    "EnterPlanMode",
    "EnterWorktree",
    "ExitPlanMode",
    "ExitWorktree",
    "KillShell",
    "LS",
    "LSP",
    "ListMcpResourcesTool",
    "Monitor",
    "MultiEdit",
    "NotebookRead",
    "PowerShell",
    "ReadMcpResourceTool",
    "SendMessage",
    "Skill",
    "SlashCommand",
    "TaskCreate",
    "TaskGet",
    "TaskList",
    "TaskOutput",
    "TaskStop",
    "TaskUpdate",
    "TodoRead",
    "TodoWrite",
    "ToolSearch",
    "Workflow",
)
#: How alike a name and a known tool are: `Bsh` and `Bash`.
_ALIKE = 0.75
PROFILES: dict[str, tuple[tuple[str, ...], PermissionMode]] = {
    "none": ((), "default"),
    "read": (_READ, "default"),
    "edit": (_EDIT, "acceptEdits"),
    "all": (_ALL, "default"),
}
#: The CLI's own tools, and MCP tools: `mcp__server__tool`, or `mcp__server` for all tools of a server.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,127}")


def choose_tools(named: str, mode: str | None = None, directories: tuple[str, ...] = ()) -> Tools:
    """Tools from a profile, or from a list of profiles and tool names with commas.

    A later profile's permission mode wins unless ``mode`` is given. Raises ``UsageError``: ``usage.unknown_tool``,
    ``usage.unknown_permission_mode``.
    """
    names: dict[str, None] = {}
    chosen: PermissionMode = "default"
    for word in filter(None, (part.strip() for part in named.split(","))):
        if word in PROFILES:
            names |= dict.fromkeys(PROFILES[word][0])
            chosen = PROFILES[word][1]
        elif (word.startswith(MCP_PREFIX) and _NAME.fullmatch(word)) or (
            _NAME.fullmatch(word) and not word.islower() and not _is_slip(word)
        ):
            names[word] = None
        else:
            raise _unknown(word)
    required = tuple(name for name in names if name != "Task")
    return Tools(
        names=tuple(names), required=required, mode=_mode(mode) if mode else chosen, directories=directories
    )


def with_permissions(tools: Tools, mode: str | None, directories: tuple[str, ...]) -> Tools:
    """``tools`` with another permission mode, where one is named, and with further directories. Raises like ``choose_tools``."""
    return msgspec.structs.replace(
        tools,
        mode=tools.mode if mode is None else _mode(mode),
        directories=(*tools.directories, *directories),
    )


def _mode(mode: str) -> PermissionMode:
    for known in get_args(PermissionMode):
        if mode == known:
            found: PermissionMode = known
            return found
    modes = get_args(PermissionMode)
    near = get_close_matches(mode, modes, n=1)
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_permission_mode",
            message=f"Unknown permission mode: `{mode}`\n  there are {', '.join(modes)}",
            hint=f"Did you mean this: `--permission-mode {near[0]}`" if near else None,
        )
    )


def _is_slip(word: str) -> bool:
    known = (*_ALL, *_OTHERS)
    return word not in known and bool(get_close_matches(word, known, n=1, cutoff=_ALIKE))


def _unknown(word: str) -> UsageError:
    near = get_close_matches(word, [*PROFILES, *_ALL, *_OTHERS], n=1)
    return UsageError(
        ErrorInfo(
            code="usage.unknown_tool",
            message=f"Unknown tool or profile: `{word}`\n"
            f"  profiles are {', '.join(PROFILES)}; tools have the CLI's own names, such as Read and Bash",
            hint=f"Did you mean this: `--tools {near[0]}`" if near else None,
        )
    )
