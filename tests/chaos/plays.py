"""What is going on while something is killed: real runs of all kinds, and CLIs that behave worse than the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from oneseat.testing import Answer, Behaviour, Simulator, Text, ToolRound, ToolUse, write_fake_cli
from oneseat.testing.fake_cli import Grandchild, IgnoreSignals, LongLine, Result, Say, Wait

_SLEEPS = ToolUse("Bash", {"command": "sleep 1; echo done", "description": "Sleep"})
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class Play(NamedTuple):
    """One kind of run. ``fake`` is how the CLI behaves where it is not the real one; ``weight`` is how often it is played."""

    name: str
    arguments: tuple[str, ...]
    text: str
    scenario: str = "ok"
    fake: Behaviour | None = None
    weight: int = 1
    completes: bool = True

    @property
    def project(self) -> bool:
        """Whether the run goes on with a conversation."""
        return "--project" in self.arguments


_OK = "ok from the simulator"
_FAKE = "ok from the fake"
_WORDS = "one two three four five six seven eight nine ten"
_PROJECT = ("--project", "shop", "--wait=30")
_TOOL = Grandchild()
_TURN = (Say(), Result())

REAL = (
    Play("text", ("--json",), _OK, weight=2),
    Play("thinking", ("--stream-json",), "thought it through", "thinking"),
    Play("slow", ("--json",), _WORDS, "quick-words"),
    Play("tool", ("--json", "--tools", "Bash"), "the tool has run", "sleeping-tool", weight=2),
    Play("project", ("--json", *_PROJECT), _OK),
    Play("structured", ("--json", "--schema", "schema.json"), "", "structured"),
)
FAKE = (
    Play("fake", ("--json",), _FAKE, fake=Behaviour(), weight=4),
    Play("fake-project", ("--stream-json", *_PROJECT), _FAKE, fake=Behaviour(), weight=3),
    Play("fake-tool", ("--json",), _FAKE, fake=Behaviour(on_user=(_TOOL, *_TURN)), weight=4),
    Play("fake-server", ("--json",), _FAKE, fake=Behaviour(on_start=(_TOOL, _TOOL), on_user=(_TOOL, *_TURN)), weight=3),
    Play("fake-large", ("--stream-json",), _FAKE, fake=Behaviour(on_user=(Say(), LongLine(8), Result())), weight=2),
    Play("fake-stays", ("--json",), _FAKE, fake=Behaviour(on_stdin_closed=(IgnoreSignals(), Wait("forever")))),
    Play(
        "fake-stubborn",
        ("--stream-json", "--timeout", "1"),
        "",
        fake=Behaviour(on_start=(IgnoreSignals(), _TOOL), on_user=(_TOOL, Say("half an"), Wait("forever"))),
        completes=False,
    ),
)  # fmt: skip


def prepare(simulator: Simulator) -> None:
    """Give the simulator the scenarios that only these plays need."""
    answer = Answer(content=(Text("the tool has run"),))
    simulator.script("sleeping-tool", [ToolRound(call=_SLEEPS, answer=answer)])
    simulator.script("quick-words", [Answer(content=(Text(_WORDS),), pace_s=0.08)])


def write_files(folder: Path) -> None:
    """The files that the plays' arguments name."""
    (folder / "schema.json").write_text(json.dumps(SCHEMA), "utf-8")


def write_cli(play: Play, folder: Path) -> Path:
    """The fake CLI of a play."""
    path = folder / play.name
    write_fake_cli(path, play.fake or "ok")
    return path
