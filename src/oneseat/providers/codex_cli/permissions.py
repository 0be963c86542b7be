"""A run's permissions in the CLI's terms: a sandbox, whether it may ask to leave it, and the MCP servers.

The CLI has no selectable tools: it reads, searches and writes by commands in an operating system sandbox. So a run without
tools gets no environment for commands, a reading run gets a read-only sandbox, and a writing run gets one with write access
to the working directory and no network. Commands that must leave the sandbox need an approval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.request import MCP_PREFIX, McpServer, Request, Tools

Sandbox = Literal["read-only", "workspace-write", "danger-full-access"]
Approval = Literal["on-request", "never"]

_WRITES = frozenset({"Edit", "Write", "NotebookEdit", "MultiEdit"})
_SEARCHES = frozenset({"WebSearch", "WebFetch"})
#: The tools that a run can be given, by their names in requests.
OFFERED = frozenset({"Read", "Glob", "Grep", "Bash"}) | _WRITES | _SEARCHES


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """The permissions of a thread. ``acts`` is whether it has an environment to run commands in."""

    acts: bool
    sandbox: Sandbox
    approval: Approval
    config: dict[str, Any]
    tools: tuple[str, ...]


def permissions_of(
    request: Request,
    start_s: float = 0.0,
    tool_s: float = 0.0,
    foreign: tuple[str, ...] = (),
    marked: Mapping[str, str] | None = None,
) -> Permissions:
    """The permissions of a request. ``foreign`` are MCP servers that the CLI would start by itself; durations are in seconds.

    ``marked`` are variables by which the run's own server processes are found.
    """
    tools = request.tools
    own = [name for name in tools.names if not name.startswith(MCP_PREFIX)]
    acts = bool(set(own) - _SEARCHES)
    config: dict[str, Any] = {}
    if _SEARCHES & set(own):
        config["web_search"] = "live"
    if tools.directories:
        config["sandbox_workspace_write"] = {"writable_roots": list(tools.directories)}
    servers: dict[str, Any] = {name: {"enabled": False} for name in foreign}
    servers |= {
        server.name: _server(server, tools, {**server.env, **(marked or {})}, start_s, tool_s)
        for server in request.mcp_servers
    }
    if servers:
        config["mcp_servers"] = servers
    if not acts:
        config |= {"include_permissions_instructions": False, "include_environment_context": False}
    return Permissions(
        acts=acts,
        sandbox=_sandbox(tools, own),
        approval="never" if tools.mode in {"plan", "dontAsk", "bypassPermissions"} else "on-request",
        config=config,
        tools=tuple(name for name in own if name in OFFERED),
    )


def check_tools(request: Request, allowed: Permissions) -> None:
    """Raise ``OneseatError`` ``incomplete.tools_missing`` when the run requires a tool that the CLI does not have."""
    missing = [
        name
        for name in request.tools.required
        if not name.startswith(MCP_PREFIX) and name not in allowed.tools
    ]
    if missing:
        raise OneseatError(
            ErrorInfo(
                code="incomplete.tools_missing",
                message=f"The official CLI has no such tool: `{', '.join(missing)}`\n  nothing was sent",
                hint="Use a profile: `--tools read`, `--tools edit` or `--tools all`",
            )
        )


def _sandbox(tools: Tools, own: list[str]) -> Sandbox:
    if tools.mode == "bypassPermissions" and own:
        return "danger-full-access"
    if tools.mode == "acceptEdits" and _WRITES & set(own):
        return "workspace-write"
    return "read-only"


def _server(
    server: McpServer, tools: Tools, env: Mapping[str, str], start_s: float, tool_s: float
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "enabled": True,
        "required": True,
        "startup_timeout_sec": start_s,
        "tool_timeout_sec": tool_s,
    }
    if server.type == "stdio":
        entry |= {"command": server.command, "args": list(server.args), "env": dict(env)}
    else:
        entry |= {"url": server.url, "http_headers": dict(server.headers)}
    whole = f"{MCP_PREFIX}{server.name}"
    if whole in tools.names or tools.mode == "bypassPermissions":
        return {**entry, "default_tools_approval_mode": "approve"}
    named = [name.removeprefix(f"{whole}__") for name in tools.names if name.startswith(f"{whole}__")]
    if named:
        entry["tools"] = {name: {"approval_mode": "approve"} for name in named}
    return {**entry, "default_tools_approval_mode": "prompt"}
