"""The command line of the official CLI. Prompts and instructions never go there: other users can read it in the process list."""

from __future__ import annotations

#: The CLI on its own would load the settings, hooks, MCP servers and commands of the user and of the working directory;
#: any of them can change who pays (a project file is enough), so all of them stay out.
_ISOLATION = (
    "--setting-sources",
    "",
    "--strict-mcp-config",
    "--disable-slash-commands",
    "--no-session-persistence",
)
#: The conversation runs over stdin and stdout as one JSON object per line, so that the login can be checked before a prompt.
_PROTOCOL = (
    "-p",
    "--input-format",
    "stream-json",
    "--output-format",
    "stream-json",
    "--verbose",
    "--include-partial-messages",
)


def command_line(executable: str, model: str) -> list[str]:
    """The argument list of a run without tools. ``--model`` always: the CLI's default depends on the kind of login."""
    return [executable, *_PROTOCOL, *_ISOLATION, "--model", model, "--tools", ""]
