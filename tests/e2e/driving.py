"""Drives ``oneseat`` as a user does: the real command in a process of its own, a scratch home, a simulator."""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil
import pytest

from oneseat.testing import Behaviour, FakeCli, Simulator, write_fake_cli

from .preloaded import Preloaded

ONESEAT = str(Path(sysconfig.get_path("scripts")) / "oneseat")
#: Long enough for the slowest machine, short enough to fail before pytest's own limit.
KILL_AFTER_S = 60.0
#: Starts its arguments without the superuser's power over files, where the tests have it; permissions then count for all.
_ORDINARY = (
    "import ctypes, os, sys\n"
    "for capability in (1, 2) if os.geteuid() == 0 else ():\n"
    "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
#: Read before the tests take the caller's environment away.
UPDATE_SNAPSHOTS = os.environ.get("UPDATE_SNAPSHOTS") == "1"
#: The modules that bring the vendors' SDKs, a second of loading, for a seat whose runs go to API keys.
SDKS = tuple(
    f"oneseat.providers.api.{name}" for name in ("anthropic", "openai_responses", "openai_chat", "gemini")
)
SNAPSHOTS = Path(__file__).parent / "snapshots"


class Done(NamedTuple):
    """How one command ended. Both outputs are UTF-8, or making this fails."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The object that ``--json`` prints: one line and nothing else."""
        assert self.stdout.count("\n") == 1, self
        assert self.stdout.endswith("\n"), self
        decoded: dict[str, Any] = json.loads(self.stdout)
        return decoded

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of ``--stream-json``."""
        assert self.stdout.endswith("\n"), self
        return [json.loads(line) for line in self.stdout.splitlines()]


def done(arguments: Sequence[str], code: int, stdout: bytes, stderr: bytes) -> Done:
    """Every command a test runs comes through here: none may ever show a traceback."""
    ended = Done(tuple(arguments), code, stdout.decode(), stderr.decode())
    assert "Traceback" not in ended.stdout + ended.stderr, ended
    return ended


class Live:
    """A command that is running. Leaving the context kills it if it still runs."""

    def __init__(self, arguments: Sequence[str], process: subprocess.Popen[bytes]) -> None:
        self.arguments = arguments
        self.process = process
        self._timer = threading.Timer(KILL_AFTER_S, process.kill)
        self._seen = b""

    def __enter__(self) -> Live:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._timer.cancel()
        self._timer.join()
        with self.process:
            pass

    @property
    def pid(self) -> int:
        return self.process.pid

    def read_until(self, wanted: str) -> str:
        """What has come on stdout once ``wanted`` is part of it. Waits for exactly that, and fails when stdout ends first."""
        while wanted.encode() not in self._seen:
            piece = os.read(_fileno(self.process.stdout), 65536)
            assert piece, (self._seen, _read(self.process.stderr))
            self._seen += piece
        return self._seen.decode()

    def signal(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def stop_reading(self) -> None:
        """Close our end of its stdout."""
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.stdout = None

    def finish(self) -> Done:
        """Read both outputs to their ends."""
        stdout, stderr = self.process.communicate()
        return done(self.arguments, self.process.returncode, self._seen + (stdout or b""), stderr or b"")


@functools.cache
def silent_url() -> str:
    """An address on this machine that accepts connections and closes them: all that a fake CLI needs of a simulator."""
    listener = socket.create_server(("127.0.0.1", 0))

    def close_all() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=close_all, name="silent-simulator", daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Seat:
    """One owner: home, working directory and temporary folder below ``root``, a CLI, and perhaps a simulator's scenario."""

    def __init__(self, root: Path, cli: Path, simulator: Simulator | None = None, play: str = "ok") -> None:
        self.root = root
        self.home = root / "home" / "oneseat"
        self.cwd = root / "work"
        self.temporary = root / "tmp"
        self.command = [ONESEAT]
        #: Modules that its commands load late, and that take long: see `SDKS`.
        self.loads: tuple[str, ...] = ()
        for folder in (self.home.parent, self.cwd, self.temporary):
            folder.mkdir()
        self.env = {
            **os.environ,
            "HOME": str(self.home.parent),
            "ONESEAT_HOME": str(self.home),
            "ONESEAT_CLAUDE_PATH": str(cli),
            # Without a simulator nothing answers there: a fake has no need for it, and a real CLI would come no further.
            "ONESEAT_SIMULATOR_URL": simulator.url(play) if simulator else silent_url(),
            "TMPDIR": str(self.temporary),
        }

    def load_anew(self) -> None:
        """From here on, each command is an interpreter of its own, which has loaded nothing yet."""
        self.command = [sys.executable, ONESEAT]

    def become_ordinary(self) -> None:
        """From here on, commands run as a user whom permissions stop."""
        self.command = [sys.executable, "-IS", "-c", _ORDINARY, ONESEAT]

    @property
    def ledger(self) -> Path:
        return self.home / "data" / "runs.db"

    def run(
        self, *arguments: str, stdin: bytes | None = None, stdout: IO[bytes] | int = subprocess.PIPE
    ) -> Done:
        """Run a command to its end. Without ``stdin`` there is none: ``/dev/null``."""
        start = preloaded(*self.loads)
        if self.command == [ONESEAT] and start.serves(self.env):
            code, said, complained = start.run(
                [ONESEAT, *arguments],
                env=self.env,
                cwd=self.cwd,
                stdin=stdin,
                stdout=stdout,
                timeout_s=KILL_AFTER_S,
            )
            return done(arguments, code, said, complained)
        ended = subprocess.run(
            [*self.command, *arguments],
            env=self.env,
            cwd=self.cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=KILL_AFTER_S,
            check=False,
        )
        return done(arguments, ended.returncode, ended.stdout or b"", ended.stderr)

    def start(
        self, *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL, stderr: int = subprocess.PIPE
    ) -> Live:
        """Start a command and go on."""
        process = subprocess.Popen(
            [*self.command, *arguments],
            env=self.env,
            cwd=self.cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        return Live(arguments, process)

    def runs(self) -> list[dict[str, Any]]:
        """What `oneseat log` says of all runs, the newest first."""
        listed: list[dict[str, Any]] = self.run("log", "--json").result["runs"]
        return listed

    def processes(self) -> list[psutil.Process]:
        """Every process that was started with something of this seat in its environment: oneseat, the CLI, its tools."""
        return [process for process in psutil.process_iter() if str(self.root) in _environment_text(process)]

    def assert_nothing_left(self) -> None:
        """No process, no temporary file, no lock."""
        assert self.processes() == []
        assert list(self.temporary.iterdir()) == []
        assert [path for path in self.home.rglob("*") if path.suffix in {".lock", ".db-wal", ".db-shm"}] == []


@functools.cache
def preloaded(*more: str) -> Preloaded:
    """What all seats of this process start commands from."""
    return Preloaded(*more)


def live_in(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this very process be the owner's: for tests of the library."""
    for name, value in seat.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(seat.temporary))
    monkeypatch.chdir(seat.cwd)


def fake_seat(root: Path, behaviour: Behaviour | str) -> tuple[Seat, FakeCli]:
    """A seat whose `claude` behaves in a way the real one cannot be made to."""
    cli = write_fake_cli(root / "claude", behaviour)
    return Seat(root, cli.path), cli


def told(request: Any) -> str:
    """The text of the last user message that the vendor received. Fails when there is anything but one text block."""
    (block,) = contents(request)
    assert block["type"] == "text"
    text: str = block["text"]
    return text


def contents(request: Any) -> list[dict[str, Any]]:
    """The content blocks of the only user message that the vendor received, without the CLI's own: 2.1.197 tells the date."""
    (message,) = [message for message in request.body["messages"] if message["role"] == "user"]
    return [
        block for block in message["content"] if not block.get("text", "").startswith("<system-reminder>")
    ]


_FILTERS = (
    (re.compile(r"\b[0-9a-f]{12}\b"), "RUN"),
    (re.compile(r"this version knows \d+"), "this version knows NUMBER"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "CLOCK"),
    (re.compile(r"(CLOCK  \w+ +\{).+\}?"), r"\1…"),
    (re.compile(r"\b\d+\.\d+ s\b"), "SECONDS"),
    (re.compile(r"retry in \d+ s"), "retry in N s"),
    (re.compile(r'"(duration_ms|first_token_ms)":\d+'), r'"\1":MS'),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b2\.1\.\d+\b"), "VERSION"),
    (re.compile(r"\bclaude-(?:sonnet|opus|haiku)-[\d-]*\d"), "MODEL"),
)


def check_snapshot(name: str, seat: Seat, ended: Done) -> None:
    """Compare a command with the file that holds it; ``UPDATE_SNAPSHOTS=1`` writes the file instead."""
    shown = "\n".join(
        [
            f"exit {ended.code}",
            "--- stdout",
            ended.stdout.rstrip("\n"),
            "--- stderr",
            ended.stderr.rstrip("\n"),
            "",
        ]
    )
    shown = shown.replace(str(seat.root), "ROOT")
    for pattern, replacement in _FILTERS:
        shown = pattern.sub(replacement, shown)
    file = SNAPSHOTS / f"{name}.txt"
    if UPDATE_SNAPSHOTS:
        file.write_text(shown, "utf-8")
    assert shown == file.read_text("utf-8")


def _environment_text(process: psutil.Process) -> str:
    try:
        return "\n".join(process.environ().values())
    except (psutil.Error, OSError):
        return ""


def _fileno(stream: IO[bytes] | None) -> int:
    assert stream is not None
    return stream.fileno()


def _read(stream: IO[bytes] | None) -> bytes:
    return stream.read() if stream is not None else b""


def write_login(seat: Seat, expires: float) -> None:
    """A login of the simulator's that is kept in a file and ends at ``expires``, in seconds since 1970."""
    path = seat.home / "state" / "simulator" / "file" / ".credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"claudeAiOauth": {"accessToken": "made-up", "expiresAt": int(expires * 1000)}})
    )
