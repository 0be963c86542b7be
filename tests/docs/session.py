"""Runs what a page shows: one shell per page, the real CLI, a simulator, a scratch home."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from oneseat.testing import Behaviour, Simulator, write_fake_cli
from oneseat.testing.fake_cli import Replay

from .pages import Block, Step, steps

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
#: The port that pages name; the session takes a free one and calls it by this name.
_SHOWN_PORT = "8700"
_SHOWN_HOME = "/home/me"
#: Fakes beside the public ones. `breaks-off` repeats what 2.1.329 printed when a connection broke in the middle of an answer
#: (older versions give up then), so that the page does not depend on the version at hand.
_FAKES = {"breaks-off": Behaviour(on_user=(Replay(str(Path(__file__).with_name("breaks-off.jsonl"))),))}
#: A block's own setting ends with the block; what the commands of the page set themselves stays.
_KEEP = 'page_url="$ONESEAT_SIMULATOR_URL"; page_cli="$ONESEAT_CLAUDE_PATH"'
_BRING_BACK = 'export ONESEAT_SIMULATOR_URL="$page_url" ONESEAT_CLAUDE_PATH="$page_cli"'
#: What differs from run to run, from machine to machine, and between versions of the official CLI.
_VOLATILE = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\b[0-9a-f]{12}\b", "RUN"),
        (r"\bosk_[\w.-]+", "KEY"),
        (r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\b", "TIME"),
        (r"\b\d+\.\d+ s\b", "SECONDS"),
        (r"\b\d+ h \d+ min\b", "DURATION"),
        (r"\b\d+ d \d+ h\b", "DURATION"),
        (r"\b\d+h\d\d\b", "DURATION"),
        (r"\b(?:[A-Z][a-z]{2} )?\d\d:\d\d, in DURATION", "RESET"),
        (r"\bnow\b(?=(?m:$)|, a run)|\b\d+ s ago\b", "AGO"),
        (r"hit your [\w-]+ limit · resets [^(]+\(UTC\)", "LIMIT"),
        (r"\bclaude-[a-z]+-\d[\d-]*", "MODEL"),
        (r"\b2\.1\.\d+\b", "VERSION"),
        (r"\boneseat \d+\.\d+\.\d+\b", "oneseat VERSION"),
        (r"\bprocess \d+\b", "process PID"),
        (r"\$0\.0\d\d\d\b", "PRICE"),
        (r"[ \t]+", " "),
    )
)


class Ran(NamedTuple):
    """A command as it is shown, and what it really printed."""

    shown: Step
    printed: str


class Session:
    """The machine that a page is read on. Close it: programs may be left running."""

    def __init__(self, home: Path, claude: Path, simulator: Simulator, label: str) -> None:
        self._home = home
        self._simulator = simulator
        self._label = label
        self._claude = claude
        self._project = home / "project"
        self._project.mkdir()
        self._fake_path = home / "fake-claude"
        self._port = _free_port()
        self._left_running: list[subprocess.Popen[str]] = []
        self._env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(home),
            "ONESEAT_HOME": str(home / "oneseat"),
            "ONESEAT_CLAUDE_PATH": str(claude),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }

    def close(self) -> None:
        """End what was left running."""
        for process in self._left_running:
            process.terminate()
            process.communicate()

    def start(self, block: Block) -> list[Ran]:
        """Run the one command of a block for the rest of the page, and read as much as the block shows."""
        (step,) = steps(block)
        process = subprocess.Popen(
            ["sh", "-c", f"exec {self._here(step.command)}"],
            cwd=self._project,
            env={
                **self._env,
                "ONESEAT_SIMULATOR_URL": self._simulator.url("ok", self._label),
                "PYTHONUNBUFFERED": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._left_running.append(process)
        assert process.stdout is not None
        printed = [process.stdout.readline().rstrip("\n") for _ in step.output.splitlines()]
        return [Ran(step, "\n".join(printed))]

    def run(self, part: list[Block]) -> list[Ran]:
        """Run console blocks in one shell, as a reader who types them all does. Returns every command in order."""
        script, shown = [], []
        for block in part:
            script += [_KEEP, *self._setting(block)]
            for step in steps(block):
                # The exit code of the command before must survive the mark, as `echo $?` shows it.
                script.append(f"code=$?; printf '\\n<<<next>>>\\n'; (exit $code)\n{self._here(step.command)}")
                shown.append(step)
            script += [_BRING_BACK] if block.note else []
        output = self._process(["sh", "-c", "\n".join(script)], self._simulator.url("ok", self._label)).stdout
        printed = output.split("\n<<<next>>>\n")[1:]
        return [Ran(step, text.rstrip("\n")) for step, text in zip(shown, printed, strict=True)]

    def run_script(self, block: Block) -> subprocess.CompletedProcess[str]:
        """Run a block that is a shell script as a whole."""
        return self._process(["sh", "-eu", "-c", self._here(block.text)], self._url(block))

    def run_python(self, block: Block) -> subprocess.CompletedProcess[str]:
        """Run a Python block as a program, or under pytest when it is a test file."""
        file = self._project / f"test_page_{block.line}.py"
        file.write_text(self._here(block.text), "utf-8")
        is_test = "def test_" in block.text
        runner = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if is_test else []
        return self._process([sys.executable, *runner, file.name], self._url(block))

    def stable(self, text: str) -> str:
        """``text`` with the names of this machine as pages write them, and without what differs every time."""
        folders = {"config": ".config", "data": ".local/share", "state": ".local/state"}
        replaced = {
            str(self._claude): "/usr/local/bin/claude",
            str(self._fake_path): "/usr/local/bin/claude",
            **{
                f"{self._home}/oneseat/{ours}": f"{_SHOWN_HOME}/{theirs}/oneseat"
                for ours, theirs in folders.items()
            },
            str(self._home): _SHOWN_HOME,
            f":{self._port}": f":{_SHOWN_PORT}",
            f":{self._simulator.port}": f":{_SHOWN_PORT}",
            f"/{self._label}`": "`",
        }
        for real, name in replaced.items():
            text = text.replace(real, name)
        for pattern, name in _VOLATILE:
            text = pattern.sub(name, text)
        return "\n".join(line.strip() for line in text.strip().splitlines())

    def _setting(self, block: Block) -> list[str]:
        """What holds for this block alone, as shell commands."""
        if fake := block.named("fake"):
            cli = write_fake_cli(self._fake_path, _FAKES.get(fake, fake))
            return [f"ONESEAT_CLAUDE_PATH={shlex.quote(str(cli.path))}", "unset ONESEAT_SIMULATOR_URL"]
        if example := block.named("settings"):
            # From this block on, the reader has the example's settings as their own.
            config = self._home / "oneseat" / "config"
            config.mkdir(parents=True, exist_ok=True)
            (config / "oneseat.toml").write_bytes((EXAMPLES / example).read_bytes())
        if block.named("simulator"):
            return [f"ONESEAT_SIMULATOR_URL={shlex.quote(self._url(block))}"]
        return []

    def _url(self, block: Block) -> str:
        return self._simulator.url(block.named("simulator") or "ok", self._label)

    def _here(self, command: str) -> str:
        return command.replace(f":{_SHOWN_PORT}", f":{self._port}").replace(
            f"--port {_SHOWN_PORT}", f"--port {self._port}"
        )

    def _process(self, argv: list[str], url: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=self._project,
            env={**self._env, "ONESEAT_SIMULATOR_URL": url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )


def as_pattern(shown: str) -> str:
    """Shown output as a regular expression: a line of three dots stands for any number of lines."""
    lines = [r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in shown.splitlines()]
    return "".join(lines)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
