"""Finds the installed ``codex`` and checks its version."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from pathlib import Path

from oneseat.providers.cli_common.program import Program, Version, dotted

#: The only version that the tests use. Older ones are refused, as the app-server's interface is marked experimental.
OLDEST = (0, 169, 0)
NEWEST = (0, 171, 0)

_PROGRAM = Program("codex", "codex.path", "ONESEAT_CODEX_PATH", "@openai/codex")
_VERSION = re.compile(r"(?:^|/|\s)(\d+)\.(\d+)\.(\d+)\b")
#: The names of operating systems in the CLI's packages.
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "win32"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def find_executable(configured: str | None, search_path: str | None) -> str:
    """The path of the CLI's native program. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``.

    npm installs a script that starts it, which costs a Node process and 0.2 s, so the program behind the script is used instead.
    """
    return _PROGRAM.find(configured, search_path, _native)


def _native(found: str) -> str:
    """The program that an npm script would start; ``found`` itself if it is not such a script."""
    script = Path(found).resolve()
    if script.name != "codex.js":
        return found
    name = f"codex-{_SYSTEMS.get(sys.platform, sys.platform)}-{_MACHINES.get(platform.machine().lower(), '')}"
    package = script.parent.parent
    program = "codex.exe" if sys.platform == "win32" else "codex"
    for place in (package.parent / name, package / "node_modules" / "@openai" / name, package):
        for native in sorted(place.glob(f"vendor/*/bin/{program}")):
            if shutil.which(str(native)) is not None:
                return str(native)
    return found


def parse_version(text: str) -> Version | None:
    """The first version in ``text``, such as ``codex-cli 0.169.0`` or ``oneseat/0.169.0 (Linux)``; ``None`` if there is none."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def check_version(version: str | None) -> None:
    """Raise ``OneseatError`` ``provider.too_old`` when the CLI is older than the oldest one tested."""
    parsed = parse_version(version or "")
    if parsed is not None and parsed < OLDEST:
        raise _PROGRAM.too_old(version, f"with {dotted(NEWEST)}")
