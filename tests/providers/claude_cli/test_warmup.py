"""A program that does not hold a prompt back, or does not forget it, is ended and serves nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from oneseat.contract.errors import OneseatError
from oneseat.contract.request import Tools
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.providers.claude_cli import warmup
from oneseat.providers.claude_cli.launcher import ClaudeCliConfig, Launcher, ProcessSpec
from oneseat.providers.claude_cli.preflight import Prefetch
from oneseat.providers.claude_cli.process import CliProcess, PromptConfig

#: Answers what it is asked, to a prompt as it is told to on its own command line.
_CLI = """
import json, sys
held, rewound = {held}, {rewound}
def say(**line): print(json.dumps(line), flush=True)
def answer(request, **response):
    say(type="control_response", response={{"subtype": "success", "request_id": request["request_id"], "response": response}})
for line in sys.stdin:
    line = json.loads(line)
    if line["type"] == "control_request":
        answer(line, rewound=rewound, precedingAssistantUuid=None)
    elif line["type"] == "user" and held:
        say(type="control_request", request_id="1", request={{"subtype": "hook_callback"}})
    else:
        say(type="result", subtype="success")
"""


def _started(tmp_path: Path, *, held: bool, rewound: bool) -> tuple[Launcher, CliProcess]:
    cli = tmp_path / "claude"
    cli.write_text(f"#!{sys.executable}\n" + _CLI.format(held=held, rewound=rewound), "utf-8")
    cli.chmod(0o755)
    config = ClaudeCliConfig(environ={"HOME": str(tmp_path)}, executable=str(cli))
    launcher = Launcher(config, str, ProcessRegistry(tmp_path / "kept"))
    process = launcher.launch_kept(ProcessSpec(Tools(), None), "sonnet")
    process.prompt_config = PromptConfig("Be brief.", None)
    return launcher, process


@pytest.mark.parametrize(("held", "rewound"), [(False, True), (True, False)])
async def test_a_program_that_sends_or_keeps_the_prompt_is_killed(
    tmp_path: Path, *, held: bool, rewound: bool
) -> None:
    launcher, process = _started(tmp_path, held=held, rewound=rewound)
    try:
        prefetch = Prefetch(process, lambda it: warmup.warm_up(process, it))
        assert await prefetch.fails()
        assert await prefetch.result() is None
        assert await process.child.wait(5)
    finally:
        await launcher.end_kept(process, 0)


async def test_a_program_that_does_both_is_ready(tmp_path: Path) -> None:
    launcher, process = _started(tmp_path, held=True, rewound=True)
    try:
        prefetch = Prefetch(process, lambda it: warmup.warm_up(process, it))
        found = await prefetch.result()
        assert found is not None
        assert not process.child.exited
    finally:
        await launcher.end_kept(process, 0)


async def test_a_program_that_dies_says_so(tmp_path: Path) -> None:
    launcher, process = _started(tmp_path, held=True, rewound=True)
    process.child.kill()
    try:
        prefetch = Prefetch(process, lambda it: warmup.warm_up(process, it))
        with pytest.raises(OneseatError, match="signal 9"):
            await warmup.warm_up(process, prefetch)
        assert await prefetch.fails()
    finally:
        await launcher.end_kept(process, 0)


@pytest.mark.parametrize(
    ("version", "known"), [(None, False), ("2.1.197", False), ("2.1.329", True), ("99.0.0", False)]
)
async def test_only_versions_that_were_tested_are_warmed_up(
    tmp_path: Path, version: str | None, *, known: bool
) -> None:
    launcher, process = _started(tmp_path, held=True, rewound=True)
    try:
        process.learn(version, ())
        assert warmup.can_warm_up(process) is known
    finally:
        await launcher.end_kept(process, 0)
