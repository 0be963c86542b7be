"""Fake `claude` executables, for behaviour that the real one cannot be made to show.

POSIX only: the file has a shebang line, so the path of the running interpreter must not contain a space.

    cli = write_fake_cli(tmp_path / "claude", "dies-at-start")
    ...  # run something with ONESEAT_CLAUDE_PATH set to cli.path
    assert "--input-format" in cli.starts()[0].argv
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from . import fake_cli_body


class Initialized(msgspec.Struct, frozen=True, tag="initialized", tag_field="do"):
    """Answer ``initialize`` with this account, as the real CLI does."""

    account: dict[str, Any] = msgspec.field(
        default_factory=lambda: {"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN", "apiProvider": "firstParty"}
    )


class Say(msgspec.Struct, frozen=True, tag="say", tag_field="do"):
    """Print the lines of a turn up to the assistant's message, without a result."""

    text: str = "ok from the fake"


class Result(msgspec.Struct, frozen=True, tag="result", tag_field="do"):
    """Print a successful result line."""

    text: str = "ok from the fake"


class LongLine(msgspec.Struct, frozen=True, tag="long_line", tag_field="do"):
    """Print one assistant line of exactly this size, its newline included."""

    mib: int


class Print(msgspec.Struct, frozen=True, tag="print", tag_field="do"):
    """Print raw text; no newline is added."""

    text: str


class Replay(msgspec.Struct, frozen=True, tag="replay", tag_field="do"):
    """Print a recorded stream. ``path`` is absolute."""

    path: str


class Complain(msgspec.Struct, frozen=True, tag="complain", tag_field="do"):
    """Print raw text to stderr."""

    text: str


class Exit(msgspec.Struct, frozen=True, tag="exit", tag_field="do"):
    """Exit at once with this code."""

    code: int


class Wait(msgspec.Struct, frozen=True, tag="wait", tag_field="do"):
    """Do nothing until stdin is closed, at most ten minutes, so that a failing test leaves no process behind."""

    until: Literal["stdin_closed", "forever"]


class Transcribe(msgspec.Struct, frozen=True, tag="transcribe", tag_field="do"):
    """Print nothing, but append a line to the session's transcript ``times`` times, every ``pause_s`` seconds.

    ``subagent`` appends to a subagent's transcript instead, like a tool that starts its own agent.
    """

    times: int
    pause_s: float
    subagent: bool = False


class CloseStdout(msgspec.Struct, frozen=True, tag="close_stdout", tag_field="do"):
    """Close stdout and continue."""


class IgnoreSignals(msgspec.Struct, frozen=True, tag="ignore_signals", tag_field="do"):
    """Ignore SIGINT and SIGTERM from now on."""


class Grandchild(msgspec.Struct, frozen=True, tag="grandchild", tag_field="do"):
    """Start a process in a new session that outlives the fake, like a tool or a hung MCP server.

    ``holds_output`` keeps stdout and stderr open in it, so that a reader of the fake never sees end of file.
    """

    holds_output: bool = True


Step: TypeAlias = (
    Initialized | Say | Result | LongLine | Print | Replay | Complain | Exit | Wait | CloseStdout | IgnoreSignals
    | Grandchild | Transcribe
)  # fmt: skip

_TURN: tuple[Step, ...] = (Say(), Result())


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What a fake does at each step. The defaults describe a working CLI.

    ``answers`` maps the subtype of any other control request to its response, ``{}`` by default.
    """

    version: str = "2.1.329"
    on_start: tuple[Step, ...] = ()
    on_initialize: tuple[Step, ...] = (Initialized(),)
    on_user: tuple[Step, ...] = _TURN
    on_stdin_closed: tuple[Step, ...] = ()
    answers: dict[str, dict[str, Any]] = {}


#: Behaviours by name.
FAKE_CLIS: dict[str, Behaviour] = {
    "ok": Behaviour(),
    "old-version": Behaviour(version="1.0.3"),
    "dies-at-start": Behaviour(on_start=(Complain("cannot start: libfake.so is missing\n"), Exit(1))),
    "dies-at-initialize": Behaviour(on_initialize=(Complain("fatal: out of memory\n"), Exit(137))),
    "dies-mid-answer": Behaviour(on_user=(Say("half an"), Exit(0))),
    "garbage": Behaviour(on_start=(Print("Segmentation fault? \x00\x1b[31m not JSON\n"),)),
    "garbage-mid-answer": Behaviour(on_user=(Print("{not json}\n"), *_TURN)),
    "half-line": Behaviour(on_user=(Print('{"type":"assistant","message":{"content":[{"type":"te'), Exit(0))),
    "silent": Behaviour(on_start=(Wait("stdin_closed"),)),
    "silent-forever": Behaviour(on_start=(IgnoreSignals(), Wait("forever"))),
    "silent-after-prompt": Behaviour(on_user=(Wait("forever"),)),
    "api-key": Behaviour(
        on_initialize=(Initialized({"apiKeySource": "ANTHROPIC_API_KEY", "apiProvider": "firstParty"}),)
    ),
    "cloud": Behaviour(on_initialize=(Initialized({"apiProvider": "bedrock"}),)),
    "signed-out": Behaviour(
        on_initialize=(Initialized({"tokenSource": "none", "apiProvider": "firstParty"}),)
    ),
    "never-exits": Behaviour(on_stdin_closed=(IgnoreSignals(), Wait("forever"))),
    "closes-stdout": Behaviour(on_user=(Say("half an"), CloseStdout(), Wait("stdin_closed"))),
    "ignores-signals": Behaviour(on_start=(IgnoreSignals(),), on_user=(Say("half an"), Wait("forever"))),
    "grandchild": Behaviour(on_user=(Grandchild(), *_TURN)),
    "long-line": Behaviour(on_user=(Say(), LongLine(64), Result())),
}


class Start(msgspec.Struct, frozen=True):
    """One start of a fake: its process id, its arguments and the names (never values) of its environment variables."""

    pid: int
    argv: tuple[str, ...]
    environment: tuple[str, ...]


class FakeCli:
    """A fake on disk and its log of starts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def starts(self) -> list[Start]:
        """Every start so far, except those with ``--version``."""
        return [msgspec.convert(note, Start) for note in self._journal() if "pid" in note]

    def grandchildren(self) -> list[int]:
        """The ids of all processes that it started."""
        return [note["grandchild"] for note in self._journal() if "grandchild" in note]

    def _journal(self) -> list[dict[str, Any]]:
        journal = Path(f"{self.path.resolve()}.journal")
        return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def write_fake_cli(path: Path, behaviour: Behaviour | str = "ok") -> FakeCli:
    """Write an executable to ``path`` with the given behaviour, or with that of the named entry in ``FAKE_CLIS``.

    Raises ``KeyError`` for an unknown name, ``OSError`` when the file cannot be written.
    """
    chosen = FAKE_CLIS[behaviour] if isinstance(behaviour, str) else behaviour
    body = Path(fake_cli_body.__file__).read_text(encoding="utf-8")
    call = f"main({msgspec.json.encode(chosen).decode()!r})"
    path.write_text(f"#!{sys.executable} -IS\n{body}\n\n{call}\n", encoding="utf-8")
    path.chmod(0o700)
    return FakeCli(path)
