"""Which ``codex`` is installed, and whether its version is one we know."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from pathlib import Path

from oneseat.providers.cli_common.program import Program, Version, dotted

#: The only version the test suite drives. Older ones are refused; the app-server says of itself that it is experimental.
OLDEST = (0, 169, 0)
NEWEST = (0, 171, 0)

_PROGRAM = Program("codex", "codex.path", "ONESEAT_CODEX_PATH", "@openai/codex")
_VERSION = re.compile(r"(?:^|/|\s)(\d+)\.(\d+)\.(\d+)\b")
#: What the CLI's packages call a machine.
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "win32"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def find_executable(configured: str | None, search_path: str | None) -> str:
    """The path of the official CLI's own program. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``.

    npm installs a script that starts it, at the price of a Node process and 0.2 s: what is behind such a script is used instead.
    """
    return _PROGRAM.find(configured, search_path, _native)


def _native(found: str) -> str:
    """The program that an npm script would start; ``found`` itself where it is no such script."""
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
    """The first version in ``text``, such as ``codex-cli 0.169.0`` or ``oneseat/0.169.0 (Linux)``; ``None`` without one."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def check_version(version: str | None) -> None:
    """Raise ``OneseatError`` ``provider.too_old`` when the CLI is older than the oldest one tested."""
    parsed = parse_version(version or "")
    if parsed is not None and parsed < OLDEST:
        raise _PROGRAM.too_old(version, f"with {dotted(NEWEST)}")
