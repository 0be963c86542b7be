"""Drives ``oneseat`` as a user does: the real command in a separate process, a scratch home, a simulator."""

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
#: In seconds: long enough for the slowest machine, short enough to fail before pytest's own limit.
KILL_AFTER_S = 60.0
#: Starts a command without the superuser's access to all files, so that permissions apply even when the tests run as root.
_ORDINARY = (
    "import ctypes, os, sys\n"
    "for capability in (1, 2) if os.geteuid() == 0 else ():\n"
    "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
#: Read before the tests remove the caller's environment.
UPDATE_SNAPSHOTS = os.environ.get("UPDATE_SNAPSHOTS") == "1"
#: The modules that load the vendors' SDKs, which takes a second, for a seat whose runs use API keys.
SDKS = tuple(
    f"oneseat.providers.api.{name}" for name in ("anthropic", "openai_responses", "openai_chat", "gemini")
)
SNAPSHOTS = Path(__file__).parent / "snapshots"


class Done(NamedTuple):
    """The outcome of one command. Creating it fails if an output is not UTF-8."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The object that ``--json`` prints. Fails unless it is the only line."""
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
    """The outcome of any command that a test runs. Fails if it shows a traceback."""
    ended = Done(tuple(arguments), code, stdout.decode(), stderr.decode())
    assert "Traceback" not in ended.stdout + ended.stderr, ended
    return ended


class Live:
    """A running command. Leaving the context kills it if it is still running."""

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
        """The output on stdout once it contains ``wanted``. Fails when stdout ends first."""
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
        """Read both outputs to the end."""
        stdout, stderr = self.process.communicate()
        return done(self.arguments, self.process.returncode, self._seen + (stdout or b""), stderr or b"")


@functools.cache
def silent_url() -> str:
    """A URL on this machine that accepts connections and closes them, which is enough for a fake CLI."""
    listener = socket.create_server(("127.0.0.1", 0))

    def close_all() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=close_all, name="silent-simulator", daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Seat:
    """One owner: home, working directory and temporary folder below ``root``, a CLI, and optionally a simulator scenario."""

    def __init__(self, root: Path, cli: Path, simulator: Simulator | None = None, play: str = "ok") -> None:
        self.root = root
        self.home = root / "home" / "oneseat"
        self.cwd = root / "work"
        self.temporary = root / "tmp"
        self.command = [ONESEAT]
        #: Modules that its commands load late and slowly: see `SDKS`.
        self.loads: tuple[str, ...] = ()
        for folder in (self.home.parent, self.cwd, self.temporary):
            folder.mkdir()
        self.env = {
            **os.environ,
            "HOME": str(self.home.parent),
            "ONESEAT_HOME": str(self.home),
            "ONESEAT_CLAUDE_PATH": str(cli),
            # Without a simulator, nothing answers there: a fake does not need it, and a real CLI would fail.
            "ONESEAT_SIMULATOR_URL": simulator.url(play) if simulator else silent_url(),
            "TMPDIR": str(self.temporary),
        }

    def load_anew(self) -> None:
        """Start each further command in a fresh interpreter without preloaded modules."""
        self.command = [sys.executable, ONESEAT]

    def become_ordinary(self) -> None:
        """Run further commands as a user to whom file permissions apply."""
        self.command = [sys.executable, "-IS", "-c", _ORDINARY, ONESEAT]

    @property
    def ledger(self) -> Path:
        return self.home / "data" / "runs.db"

    def run(
        self, *arguments: str, stdin: bytes | None = None, stdout: IO[bytes] | int = subprocess.PIPE
    ) -> Done:
        """Run a command to its end. Without ``stdin``, its input is ``/dev/null``."""
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
        """Start a command without waiting for it."""
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
        """The entries of `oneseat log` for all runs, the newest first."""
        listed: list[dict[str, Any]] = self.run("log", "--json").result["runs"]
        return listed

    def processes(self) -> list[psutil.Process]:
        """All running processes with a path of this seat in their environment: oneseat, the CLI, its tools."""
        return [process for process in psutil.process_iter() if str(self.root) in _environment_text(process)]

    def assert_nothing_left(self) -> None:
        """Assert that no process, temporary file or lock is left."""
        assert self.processes() == []
        assert list(self.temporary.iterdir()) == []
        assert [path for path in self.home.rglob("*") if path.suffix in {".lock", ".db-wal", ".db-shm"}] == []


@functools.cache
def preloaded(*more: str) -> Preloaded:
    """The preloaded process from which all seats of this process start commands."""
    return Preloaded(*more)


def live_in(seat: Seat, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process the owner's, for tests of the library."""
    for name, value in seat.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", str(seat.temporary))
    monkeypatch.chdir(seat.cwd)


def fake_seat(root: Path, behaviour: Behaviour | str) -> tuple[Seat, FakeCli]:
    """A seat whose `claude` shows behaviour that the real one cannot be made to show."""
    cli = write_fake_cli(root / "claude", behaviour)
    return Seat(root, cli.path), cli


def told(request: Any) -> str:
    """The text of the last user message that the vendor received. Fails unless it is a single text block."""
    (block,) = contents(request)
    assert block["type"] == "text"
    text: str = block["text"]
    return text


def contents(request: Any) -> list[dict[str, Any]]:
    """The content blocks of the only user message that the vendor received, without the CLI's own: 2.1.197 adds the date."""
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
    """Compare a command's output with its snapshot file; ``UPDATE_SNAPSHOTS=1`` writes the file instead."""
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
    """Write a simulated login to a file; it expires at ``expires``, in seconds since 1970."""
    path = seat.home / "state" / "simulator" / "file" / ".credentials.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"claudeAiOauth": {"accessToken": "made-up", "expiresAt": int(expires * 1000)}})
    )
