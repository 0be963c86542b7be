"""The MCP servers of a run: named to the CLI in a file of the run's own, and watched while they start.

The CLI starts them when it is started itself and says how far they are in answer to `mcp_status`, which costs no request to the
vendor. Left alone, it sends the prompt without the tools of a server that has failed or is late.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.request import FUNCTIONS, MCP_PREFIX, McpServer, Request

from . import mcp_logs

#: How often the CLI is asked how far the servers are: at first quickly, as most are up within a tenth of a second.
_FIRST_PAUSE_S = 0.02
_LAST_PAUSE_S = 0.25
#: A look that comes later than this was not spent waiting: the host slept, or the process was stopped.
_LATE_S = 1.0
#: How long the tools of a connected server may take to be listed, in seconds.
_LISTING_S = 2.0
_WORDS_SHOWN = 600
#: How often to look for a failed server's last words: the CLI writes its log a second late (measured).
_WRITTEN_LOOKS = 6


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


class ServerWatch:
    """Watches the servers of one run until all of them are there. ``ask`` asks the CLI, ``clean`` takes secrets out of a text."""

    def __init__(
        self,
        request: Request,
        env: Mapping[str, str],
        patience_s: float,
        ask: Callable[[str], Awaitable[dict[str, Any]]],
        clean: Callable[[str], str],
    ) -> None:
        self._request = request
        self._env = env
        self._patience_s = patience_s
        self._ask = ask
        self._clean = clean
        self._needed = (
            *(name for name in request.tools.required if name.startswith(MCP_PREFIX)),
            *(f"{MCP_PREFIX}{FUNCTIONS}__{function.name}" for function in request.functions),
        )
        self._began = mcp_logs.now()
        self._waited = 0.0
        self._connected = 0.0
        self._pause = _FIRST_PAUSE_S
        self._last: float | None = None

    async def look(self) -> bool:
        """Whether every server and tool of the run is there; after a no, look again.

        Raises ``OneseatError``: ``incomplete.servers_missing`` and ``incomplete.tools_missing``.
        """
        if not self._request.expected_servers:
            return True
        if self._last is not None:
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 1.5, _LAST_PAUSE_S)
        states = _states(await self._ask("mcp_status"))
        passed = self._passed()
        absent = {
            name: states.get(name, ServerState(name, "not known to the official CLI"))
            for name in self._request.expected_servers
            if name not in states or states[name].status != "connected"
        }
        self._waited += passed
        self._connected = 0.0 if absent else self._connected + passed
        broken = {
            name: state for name, state in absent.items() if name in states and state.status != "pending"
        }
        if broken or (absent and self._waited >= self._patience_s):
            raise await self._without(broken or absent)
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

    def _passed(self) -> float:
        now = asyncio.get_running_loop().time()
        passed = 0.0 if self._last is None else min(now - self._last, _LATE_S)
        self._last = now
        return passed

    async def _without(self, absent: Mapping[str, ServerState]) -> OneseatError:
        lines = [line for state in absent.values() for line in await self._account_of(state)]
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

    async def _account_of(self, state: ServerState) -> list[str]:
        status = f"still starting after {self._patience_s:g} s" if state.status == "pending" else state.status
        words = await self._last_words(state.name) if state.status == "failed" else None
        said = [f"{state.name}: {status}" + (f": {self._clean(state.error)}" if state.error else "")]
        if words:
            said.append("last output: " + self._clean(words)[-_WORDS_SHOWN:])
        return said

    async def _last_words(self, name: str) -> str | None:
        if all(server.type != "stdio" for server in self._request.mcp_servers if server.name == name):
            return None
        for _ in range(_WRITTEN_LOOKS):
            words = await asyncio.to_thread(
                mcp_logs.last_words, self._env, self._request.cwd, name, self._began
            )
            if words is not None:
                return words
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
