"""Which ``codex`` is installed, and whether its version is one we know."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
from pathlib import Path

from oneseat.contract.errors import ErrorInfo, OneseatError

#: The only version the test suite drives. Older ones are refused; the app-server says of itself that it is experimental.
OLDEST = (0, 169, 0)
NEWEST = (0, 169, 0)

_INSTALL = "Install it: `npm install -g @openai/codex`"
_NAME_IT = "Name the program: `export ONESEAT_CODEX_PATH=/path/to/codex`"
_VERSION = re.compile(r"(?:^|/|\s)(\d+)\.(\d+)\.(\d+)\b")
#: What the CLI's packages call a machine.
_SYSTEMS = {"linux": "linux", "darwin": "darwin", "win32": "win32"}
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def find_executable(configured: str | None, search_path: str | None) -> str:
    """The path of the official CLI's own program. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``.

    npm installs a script that starts it, at the price of a Node process and 0.2 s: what is behind such a script is used instead.
    """
    if configured is not None:
        return _native(_configured(configured))
    found = shutil.which("codex", path=search_path)
    if found is None:
        folders = len([folder for folder in (search_path or "").split(os.pathsep) if folder])
        raise _missing(
            f"The official CLI was not found: `codex`\n  looked in PATH ({folders} folders); codex.path is not set",
            _INSTALL,
        )
    native = _native(found)
    if sys.platform == "win32" and Path(native).suffix.lower() in (".cmd", ".bat", ".ps1"):
        # A command shim hands its arguments to a shell, which would interpret them.
        raise _missing(
            f"The official CLI is a command shim: `{found}`\n  oneseat starts programs without a shell",
            _NAME_IT,
        )
    return native


def _configured(configured: str) -> str:
    path = Path(configured).expanduser()
    if not path.is_file():
        why = "it is not a file" if path.exists() else "there is no such file"
        raise _missing(
            f"The official CLI was not found: `{configured}`\n  named by codex.path or ONESEAT_CODEX_PATH; {why}",
            _NAME_IT,
        )
    if shutil.which(str(path)) is None:
        raise OneseatError(
            ErrorInfo(
                code="provider.cannot_start",
                message=f"The official CLI cannot be started: `{configured}`\n  the file is not executable",
                hint=f"Run `chmod +x {shlex.quote(str(path))}`",
            )
        )
    return str(path.absolute())


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


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The first version in ``text``, such as ``codex-cli 0.169.0`` or ``oneseat/0.169.0 (Linux)``; ``None`` without one."""
    match = _VERSION.search(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def check_version(version: str | None) -> None:
    """Raise ``OneseatError`` ``provider.too_old`` when the CLI is older than the oldest one tested."""
    parsed = parse_version(version or "")
    if parsed is None or parsed >= OLDEST:
        return
    raise OneseatError(
        ErrorInfo(
            code="provider.too_old",
            message=f"The official CLI is too old: `{version}`\n  oneseat is tested with {dotted(NEWEST)}",
            hint="Install a current one: `npm install -g @openai/codex`",
        )
    )


def dotted(version: tuple[int, int, int]) -> str:
    """``(0, 169, 0)`` as ``0.169.0``."""
    return ".".join(map(str, version))


def _missing(message: str, hint: str) -> OneseatError:
    return OneseatError(ErrorInfo(code="provider.not_found", message=message, hint=hint))
