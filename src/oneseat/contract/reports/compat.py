"""What oneseat takes for granted about the official CLI, and what was seen when it was tried."""

from __future__ import annotations

import msgspec

#: In the order of a report: who pays first, then what is sent, then what comes back, then how it ends.
EXPECTED: dict[str, str] = {
    "version": "`claude --version` prints a version",
    "options": "the CLI starts with every option that oneseat uses",
    "login": "`initialize` names the login in `account`: tokenSource and apiProvider",
    "key_seen": "`account` names a key that is in the CLI's environment",
    "token_seen": "`account` names a bearer token that is in the CLI's environment",
    "settings_seen": "`get_settings` shows the effective settings",
    "isolation": "settings, hooks and MCP servers of the directory and the user have no effect",
    "quiet": "nothing is sent before the prompt",
    "models": "`initialize` lists the models, `sonnet` among them",
    "system": "instructions given at `initialize` replace the CLI's own",
    "memory": "the directory's CLAUDE.md is not sent",
    "attachments": "`@/path` in a prompt stays text: the file is not read",
    "no_tools": "when no tools are allowed, none are offered to the model",
    "slash": "a prompt that begins with a slash is sent as text",
    "lines": "an answer comes as known lines: init, text deltas, assistant, rate_limit_event, result",
    "success": "the result of an answered turn has is_error false, the text and the tokens",
    "overage": "extra, paid usage is reported as isUsingOverage",
    "failure": "a rejected login ends in a result whose is_error is true",
    "retries": "CLAUDE_CODE_MAX_RETRIES=1 means one retry, reported as api_retry",
    "long_line": "a line of 2 MB arrives whole",
    "interrupt": "an interrupt ends the turn within 5 s",
    "question": "a tool that needs permission is asked about, and does not run when it is denied",
    "schema": "a jsonSchema given at `initialize` gives structured_output",
    "session": "`--session-id` begins a conversation and keeps its record under `projects`",
    "resume": "`--resume` continues it: earlier messages are sent again",
    "switch": "`set_model` to a listed model sends nothing, and from 2.1.329 on leaves no trace in the requests that follow",
    "forget": "after a confirmed rewind, the CLI no longer sends the message",
    "servers": "`mcp_status` lists the MCP servers of the command line before a prompt",
    "exit": "the CLI exits within 5 s after its stdin is closed",
    "nothing_left": "no process is left after the CLI exits",
}


class CliFile(msgspec.Struct, frozen=True, kw_only=True):
    """One installed CLI. ``path`` is absolute without links, ``size`` in bytes, ``changed_ns`` in nanoseconds since the epoch."""

    path: str
    size: int
    changed_ns: int


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """One thing oneseat rests on: its name, what was expected, what was seen, and whether it holds."""

    name: str
    expected: str
    seen: str
    holds: bool


class CanaryReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one trial of an installed CLI.

    ``version`` is what the CLI calls itself, ``tried_at_ms`` in milliseconds since the epoch, ``duration_ms`` in milliseconds.
    """

    cli: CliFile
    version: str | None
    tried_at_ms: int
    duration_ms: int
    assumptions: tuple[Assumption, ...]

    @property
    def broken(self) -> tuple[Assumption, ...]:
        """The assumptions that do not hold."""
        return tuple(assumption for assumption in self.assumptions if not assumption.holds)

    @property
    def passed(self) -> bool:
        """Whether every assumption holds."""
        return not self.broken

    @property
    def complete(self) -> bool:
        """Whether exactly today's assumptions were tried. Another version of oneseat may have had others."""
        return [(each.name, each.expected) for each in self.assumptions] == list(EXPECTED.items())
