"""Drives the real `claude` through turns, as a process with pipes; nothing of ours in between."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from oneseat.testing import SIMULATOR_TOKEN

LEAN = [
    *("--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
    *("--strict-mcp-config", "--disable-slash-commands", "--no-session-persistence"),
    *("--model", "claude-sonnet-4-5", "--tools", "", "--system-prompt", "x", "--setting-sources", ""),
]
#: Long enough for the slowest machine, short enough to fail before pytest's own limit.
KILL_AFTER_S = 100.0


class Turn(NamedTuple):
    """What one turn printed."""

    lines: list[dict[str, Any]]

    def of(self, kind: str, subtype: str | None = None) -> list[dict[str, Any]]:
        """The lines of one type."""
        return [
            line for line in self.lines if line["type"] == kind and subtype in {None, line.get("subtype")}
        ]

    @property
    def result(self) -> dict[str, Any]:
        (line,) = self.of("result")
        return line

    @property
    def error_class(self) -> str | None:
        """The class of the error in the last assistant line that has one."""
        errors = [str(line["error"]) for line in self.of("assistant") if line.get("error") is not None]
        return errors[-1] if errors else None

    @property
    def limit(self) -> dict[str, Any] | None:
        """The last usage window reported."""
        events = self.of("rate_limit_event")
        return dict(events[-1]["rate_limit_info"]) if events else None


def child_environment(home: Path, url: str, extra: dict[str, str]) -> dict[str, str]:
    """Nothing of the caller's; a vendor's address would meet a closed port of this machine."""
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TERM": "dumb",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_OAUTH_TOKEN": SIMULATOR_TOKEN,
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "ANTHROPIC_BASE_URL": url,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        **extra,
    }


class Talk:
    """A process of the CLI that is asked one thing after the other. Leaving it closes its stdin and waits for its end."""

    def __init__(
        self, cli: Path, home: Path, url: str, argv: tuple[str, ...] = (), env: dict[str, str] | None = None
    ) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed on leaving
        self._process = subprocess.Popen(
            [cli, *LEAN, *argv],
            env=child_environment(home, url, env or {}),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._timer = threading.Timer(KILL_AFTER_S, self._process.kill)
        #: Known once it was left.
        self.code: int | None = None
        self.stderr = ""

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stderr, self._process:
            _closed(self._process.stdin)
            self.code = self._process.wait()
            self._timer.cancel()
            self._timer.join()
            self._stderr.seek(0)
            self.stderr = self._stderr.read().decode()

    def initialize(self, **fields: Any) -> None:
        """Open the conversation, before the first turn."""
        request = {"subtype": "initialize", **fields}
        self._write({"type": "control_request", "request_id": "i", "request": request})

    def turn(self, prompt: str = "say ok") -> Turn:
        """Hand over a prompt and read to the result. stdin stays open, as it must."""
        message = {"role": "user", "content": prompt}
        self._write({"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "default"})
        assert self._process.stdout is not None
        lines = []
        for raw in self._process.stdout:
            lines.append(json.loads(raw))
            if lines[-1]["type"] == "result":
                break
        return Turn(lines)

    def _write(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


def _closed(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            pipe.close()
