"""What an MCP server printed before it failed. Only the CLI reads it, and it keeps it in a log of its own in the cache folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

_PREFIX = "Server stderr: "
#: A log is a few lines; one that is larger is read from its end.
_READ_BYTES = 64 * 1024


class _Line(msgspec.Struct):
    error: str = ""
    cwd: str = ""


def now() -> float:
    """The time as files are stamped with it, in seconds since the epoch."""
    return time.time()


def last_words(env: Mapping[str, str], cwd: str, server: str, since: float) -> str | None:
    """The last line that ``server`` printed to stderr in a run in ``cwd`` that began ``since``; ``None`` when it is not known."""
    cache = _cache_folder(env)
    if cache is None:
        return None
    said: list[tuple[float, str]] = []
    try:
        for path in cache.glob(f"*/mcp-logs-{server}/*.jsonl"):
            stamp = path.stat().st_mtime
            # The CLI was started a moment before it was watched; the clock of files is coarse.
            if stamp >= since - 5.0:
                said += [(stamp, text) for text in _said(path, os.path.realpath(cwd))]
    except OSError:
        return None
    return max(said)[1] if said else None


def _said(path: Path, cwd: str) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _READ_BYTES))
        lines = file.read().splitlines()
    found = []
    for raw in lines:
        try:
            line = msgspec.json.decode(raw, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        text = line.error.removeprefix(_PREFIX).strip()
        if line.error.startswith(_PREFIX) and text and os.path.realpath(line.cwd) == cwd:
            found.append(text.splitlines()[-1])
    return found[-1:]


def _cache_folder(env: Mapping[str, str]) -> Path | None:
    home = env.get("HOME") or env.get("USERPROFILE")
    if sys.platform == "win32":
        local = env.get("LOCALAPPDATA")
        return Path(local, "claude-cli-nodejs", "Cache") if local else None
    if home is None:
        return None
    if sys.platform == "darwin":
        return Path(home, "Library", "Caches", "claude-cli-nodejs")
    return Path(env.get("XDG_CACHE_HOME") or Path(home, ".cache"), "claude-cli-nodejs")
