"""Renew every lock from pyproject.toml and scripts/claude-cli, and the price table. Run by `make lock`, where uv is installed.

No lock names an address: whoever installs uses the package index their own machine is set up for. Releases
younger than a week are left out, because most poisoned releases are found and withdrawn within days.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import prices

ROOT = Path(__file__).resolve().parent.parent
#: Each lock and what it holds. The run-time packages are the same in all that have them.
LOCKS = {
    "requirements.txt": ["pyproject.toml"],
    "requirements-dev.txt": ["pyproject.toml", "--group", "dev", "--constraint", "requirements.txt"],
    "requirements-bench.txt": ["pyproject.toml", "--group", "bench", "--constraint", "requirements.txt"],
    "requirements-lock.txt": ["--group", "lock"],
}
#: Pinned by hand to the release that was measured beside ours, which was a day old at the time.
AGE = ["--exclude-newer", "7 days", "--exclude-newer-package", "claude-agent-sdk=2026-12-01"]
SHAPE = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header"]


def lock_python(name: str, what: list[str]) -> None:
    """Resolve one set of Python packages and write it with the hashes of every file of every platform."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "compile", *what, *SHAPE, *AGE, "--system-certs", "--quiet", "--output-file", name]
    # Further arguments go to uv: without `--upgrade` only the pins move that pyproject.toml no longer allows.
    subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=True)


def lock_npm(folder: Path) -> None:
    """Resolve what one folder asks of npm for every platform, in a scratch folder that goes away."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(folder / "package.json", scratch)
        lock_only = [
            "--package-lock-only",
            "--omit-lockfile-registry-resolved",
            "--ignore-scripts",
            "--global=false",
        ]
        subprocess.run(["npm", "install", *lock_only, "--no-audit", "--no-fund"], cwd=scratch, check=True)
        written = json.loads((Path(scratch) / "package-lock.json").read_text("utf-8"))
    for package in written["packages"].values():
        package.pop("funding", None)  # an address, and no lock names one
    (folder / "package-lock.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")


def main() -> None:
    """Renew all locks and the price table."""
    for name, what in LOCKS.items():
        lock_python(name, what)
    for folder in sorted(path.parent for path in ROOT.glob("scripts/*/*/package.json")):
        lock_npm(folder)
    prices.main()


if __name__ == "__main__":
    main()
