"""Which ``claude`` is installed, and whether its version is one we know."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

from oneseat._util.aio import uninterrupted
from oneseat.contract.reports.compat import CliFile
from oneseat.host.processes.child import Child
from oneseat.providers.cli_common.program import Program, Version, dotted

#: The range of versions the test suite drives. Older ones are refused, newer ones are used and named by the doctor.
OLDEST = (2, 1, 329)
NEWEST = (2, 1, 332)

#: A smaller file may be a script that starts another program, and does not change when that one does: its version is asked
#: every time. The CLI itself takes many megabytes.
SCRIPT_BYTES = 1_000_000
_PROGRAM = Program("claude", "claude.path", "ONESEAT_CLAUDE_PATH", "@anthropic-ai/claude-code")
_VERSION = re.compile(r"^\s*(\d+)\.(\d+)\.(\d+)\b")
_VERSION_S = 10.0
#: How long the CLI may take to leave after it told its version, in seconds.
_EXIT_S = 1.0


def find_executable(configured: str | None, search_path: str | None) -> str:
    """The path of the official CLI. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``."""
    return _PROGRAM.find(configured, search_path)


def identify(executable: str) -> CliFile:
    """Which file stands behind ``executable``; an update changes at least one of its three marks. Raises ``OSError``."""
    path = Path(executable).resolve(strict=True)
    found = path.stat()
    return CliFile(path=str(path), size=found.st_size, changed_ns=found.st_mtime_ns)


def parse_version(text: str) -> Version | None:
    """The version at the start of ``text``, such as ``2.1.329 (Claude Code)``; ``None`` when there is none."""
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


async def ask_version(executable: str, env: Mapping[str, str]) -> str | None:
    """What ``claude --version`` prints, the number only; ``None`` when it does not answer within ten seconds.

    Whatever it started is gone when this returns, also when it is cancelled.
    """
    try:
        child = Child.start(
            [executable, "--version"],
            env=env,
            # The working directory may be gone, and a repository there must not influence the CLI.
            cwd=os.sep,
            run_id=secrets.token_hex(6),
            ended_by="KILL",
        )
    except OSError:
        return None
    answer = None
    try:
        child.close_stdin()
        async with asyncio.timeout(_VERSION_S):
            answer = await _first_line(child)
    except TimeoutError:
        pass
    finally:
        await uninterrupted(child.end(_EXIT_S if answer else 0))
    version = parse_version(answer or "")
    return dotted(version) if version else None


async def _first_line(child: Child) -> str | None:
    async with aclosing(child.batches()) as batches:
        async for lines in batches:
            return lines[0].decode("utf-8", "replace") if isinstance(lines[0], bytes) else None
    return None


def check_version(version: str | None) -> None:
    """Raise ``OneseatError`` ``provider.too_old`` when the CLI is older than the oldest one tested."""
    parsed = parse_version(version or "")
    if parsed is not None and parsed < OLDEST:
        raise _PROGRAM.too_old(version, f"from {dotted(OLDEST)} to {dotted(NEWEST)}")
