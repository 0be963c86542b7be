"""The MCP servers of a run: elapsed to the CLI in a private configuration file, and polled until they are connected.

The CLI starts the servers itself and reports their state in answer to `mcp_status`, which costs no request to the vendor. Without
this check it would send the prompt without the tools of a server that failed or is late.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.request import FUNCTIONS, MCP_PREFIX, McpServer, Request

#: Pause between two polls: short at first, as most servers are up within a tenth of a second.
_FIRST_PAUSE_S = 0.02
_LAST_PAUSE_S = 0.25
#: A longer gap between two polls does not count as waiting: the host slept, or the process was stopped.
_LONGEST_GAP_S = 1.0
#: How long the tools of a connected server may take to be listed, in seconds.
_LISTING_S = 2.0
_STDERR_SHOWN = 600
#: How often to look for the stderr of a failed server: the CLI writes its log a second late (measured).
_LOG_POLLS = 6

#: How the CLI logs a line that a server printed to stderr. Only the CLI reads it, and it keeps the log in its cache folder.
_LOG_PREFIX = "Server stderr: "
#: A log has a few lines; of a larger one only the end is read.
_LOG_READ_BYTES = 64 * 1024


class ServerState(msgspec.Struct, frozen=True):
    """One server in the answer to `mcp_status`. Its ``config`` is left out: it can hold secrets."""

    name: str = ""
    status: str = ""
    error: str | None = None
    tools: list[dict[str, Any]] = []


def write_config(folder: Path, servers: tuple[McpServer, ...], *, functions: bool) -> str | None:
    """Write the configuration that names the run's servers and no others, for its owner only; ``None`` without servers."""
    if not servers and not functions:
        return None
    entries = {server.name: _entry(server) for server in servers}
    if functions:
        entries[FUNCTIONS] = {"type": "sdk", "name": FUNCTIONS}
    path = folder / "mcp.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode({"mcpServers": entries}))
    return str(path)


def _entry(server: McpServer) -> dict[str, Any]:
    if server.type == "stdio":
        return {"type": "stdio", "command": server.command, "args": server.args, "env": server.env}
    return {"type": server.type, "url": server.url, "headers": server.headers}


class McpReadiness:
    """Whether all MCP servers of one run are connected. ``ask`` queries the CLI, ``clean`` removes secrets from a text."""

    def __init__(
        self,
        request: Request,
        env: Mapping[str, str],
        timeout_s: float,
        ask: Callable[[str], Awaitable[dict[str, Any]]],
        clean: Callable[[str], str],
    ) -> None:
        self._request = request
        self._env = env
        self._timeout_s = timeout_s
        self._ask = ask
        self._clean = clean
        self._needed = (
            *(name for name in request.tools.required if name.startswith(MCP_PREFIX)),
            *(f"{MCP_PREFIX}{FUNCTIONS}__{function.name}" for function in request.functions),
        )
        self._began = time.time()
        self._waited = 0.0
        self._connected = 0.0
        self._pause = _FIRST_PAUSE_S
        self._polled_at: float | None = None

    async def check(self) -> bool:
        """Whether every server and tool of the run is available; call it again after a no.

        Raises ``OneseatError``: ``incomplete.servers_missing`` and ``incomplete.tools_missing``.
        """
        if not self._request.expected_servers:
            return True
        if self._polled_at is not None:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 1.5, _LAST_PAUSE_S)
        states = _states(await self._ask("mcp_status"))
        elapsed = self._elapsed()
        absent = {
            name: states.get(name, ServerState(name, "not known to the official CLI"))
            for name in self._request.expected_servers
            if name not in states or states[name].status != "connected"
        }
        self._waited += elapsed
        self._connected = 0.0 if absent else self._connected + elapsed
        broken = {
            name: state for name, state in absent.items() if name in states and state.status != "pending"
        }
        if broken or (absent and self._waited >= self._timeout_s):
            raise await self._missing_error(broken or absent)
        return not absent and self._listed(states)

    def _listed(self, states: Mapping[str, ServerState]) -> bool:
        present = [
            f"{MCP_PREFIX}{state.name}__{tool.get('name')}"
            for state in states.values()
            for tool in state.tools
        ]
        missing = msgspec.structs.replace(self._request.tools, required=self._needed).missing(present)
        if missing and self._connected >= _LISTING_S:
            raise OneseatError(
                ErrorInfo(
                    code="incomplete.tools_missing",
                    message=f"No MCP server of the run has this tool: `{', '.join(missing)}`\n"
                    f"  they have {', '.join(present) or 'none'}; nothing was sent",
                    hint="An MCP tool is named `mcp__SERVER__TOOL`, all tools of a server `mcp__SERVER`",
                )
            )
        return not missing

    def _elapsed(self) -> float:
        now = asyncio.get_running_loop().time()
        elapsed = 0.0 if self._polled_at is None else min(now - self._polled_at, _LONGEST_GAP_S)
        self._polled_at = now
        return elapsed

    async def _missing_error(self, absent: Mapping[str, ServerState]) -> OneseatError:
        lines = [line for state in absent.values() for line in await self._describe(state)]
        late = all(state.status == "pending" for state in absent.values())
        return OneseatError(
            ErrorInfo(
                code="incomplete.servers_missing",
                message=f"MCP server `{', '.join(absent)}` failed to start\n  "
                + "\n  ".join(lines)
                + "\n  nothing was sent",
                hint="If it needs more time, raise `mcp.start_s` in oneseat.toml" if late else None,
            )
        )

    async def _describe(self, state: ServerState) -> list[str]:
        status = f"still starting after {self._timeout_s:g} s" if state.status == "pending" else state.status
        stderr = await self._stderr_of(state.name) if state.status == "failed" else None
        lines = [f"{state.name}: {status}" + (f": {self._clean(state.error)}" if state.error else "")]
        if stderr:
            lines.append("last output: " + self._clean(stderr)[-_STDERR_SHOWN:])
        return lines

    async def _stderr_of(self, name: str) -> str | None:
        if all(server.type != "stdio" for server in self._request.mcp_servers if server.name == name):
            return None
        for _ in range(_LOG_POLLS):
            stderr = await asyncio.to_thread(_logged_stderr, self._env, self._request.cwd, name, self._began)
            if stderr is not None:
                return stderr
            await asyncio.sleep(_LAST_PAUSE_S)
        return None


def _states(answer: dict[str, Any]) -> dict[str, ServerState]:
    listed = answer.get("mcpServers")
    states = []
    for entry in listed if isinstance(listed, list) else ():
        try:
            states.append(msgspec.convert(entry, ServerState))
        except msgspec.ValidationError:
            continue
    return {state.name: state for state in states}


class _LogLine(msgspec.Struct):
    error: str = ""
    cwd: str = ""


def _logged_stderr(env: Mapping[str, str], cwd: str, server: str, since: float) -> str | None:
    """The last line that ``server`` printed to stderr in a run in ``cwd`` started at ``since`` (seconds); ``None``: not known."""
    cache = _cache_folder(env)
    if cache is None:
        return None
    said: list[tuple[float, str]] = []
    try:
        for path in cache.glob(f"*/mcp-logs-{server}/*.jsonl"):
            stamp = path.stat().st_mtime
            # The CLI was started shortly before ``since``, and file times are coarse.
            if stamp >= since - 5.0:
                said += [(stamp, text) for text in _stderr_lines(path, os.path.realpath(cwd))]
    except OSError:
        return None
    return max(said)[1] if said else None


def _stderr_lines(path: Path, cwd: str) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LOG_READ_BYTES))
        lines = file.read().splitlines()
    found = []
    for raw in lines:
        try:
            line = msgspec.json.decode(raw, type=_LogLine)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        text = line.error.removeprefix(_LOG_PREFIX).strip()
        if line.error.startswith(_LOG_PREFIX) and text and os.path.realpath(line.cwd) == cwd:
            found.append(text.splitlines()[-1])
    return found[-1:]


def _cache_folder(env: Mapping[str, str]) -> Path | None:
    home = env.get("HOME") or env.get("USERPROFILE")
    if sys.platform == "win32":
        local = env.get("LOCALAPPDATA")
        return Path(local, "claude-cli-nodejs", "Cache") if local else None
    if home is None:
        return None
    if sys.platform == "darwin":
        return Path(home, "Library", "Caches", "claude-cli-nodejs")
    return Path(env.get("XDG_CACHE_HOME") or Path(home, ".cache"), "claude-cli-nodejs")
