"""The command line of the official CLI. Prompts and instructions never go there: other users can read it in the process list."""

from __future__ import annotations

import msgspec

from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import Tools

#: The CLI on its own would load the settings, hooks, MCP servers and commands of the user and of the working directory;
#: any of them can change who pays (a project file is enough), so all of them stay out.
_ISOLATION = (
    "--setting-sources",
    "",
    "--strict-mcp-config",
    "--disable-slash-commands",
)
#: The conversation runs over stdin and stdout as one JSON object per line, so that the login can be checked before a prompt.
#: No `-p`: a pipe for stdout says the same, what is sent upstream is the same byte for byte (measured on 2.1.197 and 2.1.329),
#: and with it 2.1.197 takes 8 ms of processor time more for each message.
_PROTOCOL = (
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--include-partial-messages",
)


class Offered(msgspec.Struct, frozen=True):
    """MCP servers: the file that names them, and the tools or whole servers that may be used without asking."""

    config: str
    allowed: tuple[str, ...] = ()


def command_line(
    executable: str, model: str, tools: Tools, session: SessionStamp | None, offered: Offered | None = None
) -> list[str]:
    """The argument list of a run. ``--model`` always: the CLI's default depends on the kind of login.

    Values of options that take several are joined to their option, or they would swallow what follows them.
    """
    return [
        executable,
        *_PROTOCOL,
        *_ISOLATION,
        *_conversation(session),
        "--model",
        model,
        f"--tools={','.join(name for name in tools.names if name not in tools.of_servers)}",
        *_servers(offered),
        *(_permissions(tools) if tools.names or offered else ()),
    ]


def bounds(max_turns: int | None, max_budget_usd: float | None, session: SessionStamp | None) -> list[str]:
    """What the CLI itself is told to stop at. It looks only between two requests; oneseat looks while an answer comes too.

    A conversation that is resumed has its earlier cost counted in (2.1.329), so there the CLI holds no budget.
    """
    turns = ["--max-turns", str(max_turns)] if max_turns is not None else []
    if max_budget_usd is None or (session is not None and session.resumed):
        return turns
    # What rounds to nothing would be refused as no budget at all.
    return [*turns, "--max-budget-usd", f"{max(max_budget_usd, 1e-6):.6f}"]


def _conversation(session: SessionStamp | None) -> list[str]:
    if session is None:
        return ["--no-session-persistence"]
    # The first option only ever begins a conversation: given again, the CLI ends with "already in use".
    return ["--resume" if session.resumed else "--session-id", session.id]


def _servers(offered: Offered | None) -> list[str]:
    if offered is None:
        return []
    allowed = [f"--allowedTools={','.join(offered.allowed)}"] if offered.allowed else []
    return [f"--mcp-config={offered.config}", *allowed]


def _permissions(tools: Tools) -> list[str]:
    directories = [f"--add-dir={directory}" for directory in tools.directories]
    # Without a host to ask, the CLI denies in silence; with one, every question becomes an event.
    return ["--permission-mode", tools.mode, "--permission-prompt-tool", "stdio", *directories]
