"""The child's environment: what is allowed of the caller's, how the CLI must behave, and the login."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from oneseat.host.environment import HARMLESS, base_environment

#: The owner's own login: a token made by `claude setup-token`, or another folder to read the login from.
LOGIN_NAMES = ("CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR")
#: Switches off all that the CLI sends besides model requests, and with it its own question how full the windows are (measured).
_OPTIONAL_TRAFFIC = "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"
#: What stays off of it where that question is to be asked.
_REPORTS = {"DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1"}
#: How the CLI must behave as a child, each with the failure it prevents.
_BEHAVIOUR = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    # It would replace itself by an untested version between two runs.
    "DISABLE_AUTOUPDATER": "1",
    # It would send telemetry and error reports that no run asked for.
    _OPTIONAL_TRAFFIC: "1",
    # It would read any file that the prompt names as `@/path` and send it, even without tools.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    # After a cut stream it would ask again without streaming: paid twice, and the partial answer thrown away.
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    # It would add the working directory's CLAUDE.md and its own notes to the prompt.
    "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    # A conversation that is resumed after a crash would run a tool call again that a hook had put off.
    "CLAUDE_CODE_DISABLE_DEFERRED_TOOL_RESUME": "1",
    # It would report a result while commands and agents still run in the background, and kill them a few seconds later.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
}


class McpPatience(msgspec.Struct, frozen=True):
    """How long an MCP server may take to start, and one of its tools to answer, in seconds."""

    start_s: float = 30.0
    tool_s: float = 1800.0


_USUAL = McpPatience()
#: By how much the CLI's own limit for the start of a server is longer: oneseat ends the wait, and says how to lengthen it.
_MCP_GRACE_S = 5.0


class Simulated(msgspec.Struct, frozen=True):
    """Where a simulated run goes and with what it signs in. ``token`` is made up; ``None`` leaves the login to the folder."""

    base_url: str
    config_dir: str
    home: str
    token: str | None


def child_environment(
    parent: Mapping[str, str],
    *,
    pass_names: Iterable[str],
    temp_dir: str,
    max_retries: int,
    simulated: Simulated | None = None,
    mcp: McpPatience = _USUAL,
    asks_usage: bool = False,
) -> dict[str, str]:
    """The whole environment of a child. ``temp_dir`` is private to the run; ``parent`` is read, never changed.

    With ``asks_usage`` the CLI may ask its vendor how full the plan's windows are, unless the owner has forbidden that. A
    simulated one never may: it asks the vendor, not the simulator (measured).
    """
    env = base_environment(parent, pass_names)
    env.update(_BEHAVIOUR)
    env["CLAUDE_CODE_MAX_RETRIES"] = str(max_retries)
    # Always: a version once had a default of one second, and tools have none.
    env["MCP_TIMEOUT"] = str(round((mcp.start_s + _MCP_GRACE_S) * 1000))
    env["MCP_TOOL_TIMEOUT"] = str(round(mcp.tool_s * 1000))
    for name in ("TMPDIR", "TEMP", "TMP", "CLAUDE_CODE_TMPDIR"):
        env[name] = temp_dir
    if asks_usage and simulated is None and not parent.get(_OPTIONAL_TRAFFIC):
        del env[_OPTIONAL_TRAFFIC]
        env.update(_REPORTS)
    if simulated is None:
        env.update({name: parent[name] for name in LOGIN_NAMES if parent.get(name)})
    else:
        env.update(_simulated_login(simulated))
    return env


def _simulated_login(simulated: Simulated) -> dict[str, str]:
    # The real login is out of reach: neither its folder nor its token is in the child's environment.
    login = {
        "HOME": simulated.home,
        "USERPROFILE": simulated.home,
        "CLAUDE_CONFIG_DIR": simulated.config_dir,
        "ANTHROPIC_BASE_URL": simulated.base_url,
    }
    if simulated.token is not None:
        login["CLAUDE_CODE_OAUTH_TOKEN"] = simulated.token
    return login


def shared_names(pass_names: Iterable[str]) -> frozenset[str]:
    """The names of what a child gets from its parent, in upper case. Those that begin with `LC_` come on top."""
    return HARMLESS | frozenset(pass_names) | frozenset(LOGIN_NAMES)
