"""Drives the real `claude` through one turn, as a process with pipes; nothing of ours in between."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from oneseat.testing import SIMULATOR_TOKEN

LEAN = [
    *("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
    *("--strict-mcp-config", "--disable-slash-commands", "--no-session-persistence"),
    *("--model", "claude-sonnet-4-5", "--tools", "", "--system-prompt", "x", "--setting-sources", ""),
]
#: Long enough for the slowest machine, short enough to fail before pytest's own limit.
KILL_AFTER_S = 30.0


class Turn(NamedTuple):
    """What one turn printed."""

    lines: list[dict[str, Any]]
    code: int
    stderr: str

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


def take_turn(
    cli: Path,
    home: Path,
    url: str,
    *,
    prompt: str = "say ok",
    argv: tuple[str, ...] = (),
    initialize: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
) -> Turn:
    """Start the CLI, hand over one prompt, read to the end. stdin stays open until the result is read, as it must."""
    given = [
        {
            "type": "user",
            "message": {"role": "user", "content": prompt},
            "parent_tool_use_id": None,
            "session_id": "default",
        }
    ]
    if initialize is not None:
        request = {"subtype": "initialize", **initialize}
        given.insert(0, {"type": "control_request", "request_id": "i", "request": request})
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [cli, *LEAN, *argv],
            env=child_environment(home, url, env or {}),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        with _killed_when_late(process), process:
            lines = _converse(process, given)
        stderr.seek(0)
        return Turn(lines, process.returncode, stderr.read().decode())


def _converse(process: subprocess.Popen[bytes], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in given))
    process.stdin.flush()
    lines = []
    for raw in process.stdout:
        lines.append(json.loads(raw))
        if lines[-1]["type"] == "result":
            process.stdin.close()
    return lines


@contextlib.contextmanager
def _killed_when_late(process: subprocess.Popen[bytes]) -> Iterator[None]:
    timer = threading.Timer(KILL_AFTER_S, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
